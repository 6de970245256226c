// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <stop_token>
#include <vector>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <lk/parallel/errors.hpp>
#include <lk/parallel/for_chunks.hpp>

#include <recsys/factors.hpp>
#include <recsys/interactions.hpp>
#include <recsys/user_profile.hpp>

// Explicit-feedback matrix factorisation by alternating least squares on what damped biases of items and users leave:
// Zhou, Wilkinson, Schreiber and Pan, "Large-scale parallel collaborative filtering for the Netflix prize", AAIM 2008,
// https://doi.org/10.1007/978-3-540-68880-8_32, with the biases of LensKit's BiasedMF. Each row is solved by one
// thread, so that the model is the same bits for any number of threads.

namespace recsys {

/// A rating as the sum of a mean and what is usual for its item and its user.
struct bias_model {
  double mean = 0;
  std::vector<double> users, items;

  double of(std::uint32_t user, std::uint32_t item) const { return mean + users[user] + items[item]; }
};

struct biased_als_model {
  bias_model biases;
  factors users, items;

  /// Units: stars. Not cut off at the ends of the scale.
  double predict(const user_profile& of, std::uint32_t item) const {
    return biases.of(of.user(), item) + double{users.col(of.user()).dot(items.col(item))};
  }
  void score_all(const user_profile& of, Eigen::Ref<Eigen::VectorXf> scores) const {
    scores.noalias() = items.transpose() * users.col(of.user());
    const double base = biases.mean + biases.users[of.user()];
    for (Eigen::Index item = 0; item < scores.size(); ++item)
      scores[item] += static_cast<float>(base + biases.items[static_cast<std::size_t>(item)]);
  }
};

/// Items first, then users on what the items leave; each mean as if `damping` ratings of no deviation came with it.
inline bias_model train_biases(const interactions& data, double damping) {
  bias_model biases;
  const std::vector<float>& all = data.by_user.values;
  biases.mean =
      std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(std::max<std::size_t>(all.size(), 1));
  const auto damped = [&](std::span<const float> values, double expected) {
    return (std::accumulate(values.begin(), values.end(), 0.0) - expected) /
           (static_cast<double>(values.size()) + damping);
  };
  for (std::size_t item = 0; item < data.by_item.size(); ++item) {
    const std::span<const float> values = data.by_item.values_of(item);
    biases.items.push_back(damped(values, biases.mean * static_cast<double>(values.size())));
  }
  for (std::size_t user = 0; user < data.by_user.size(); ++user) {
    double expected = 0;
    for (const std::uint32_t item : data.by_user[user]) expected += biases.mean + biases.items[item];
    biases.users.push_back(damped(data.by_user.values_of(user), expected));
  }
  return biases;
}

/// The same ratings, each less its biases.
inline sparse_rows residuals_by_user(const interactions& data, const bias_model& biases) {
  sparse_rows left = data.by_user;
  for (std::uint32_t user = 0; user < left.size(); ++user)
    for (std::size_t at = left.begins[user]; at < left.begins[user + 1]; ++at)
      left.values[at] -= static_cast<float>(biases.of(user, left.columns[at]));
  return left;
}

/// Solves one row after the other against the same other side; keeps its scratch memory from row to row.
class residual_solver {
 public:
  /// Lifetime: refers to other.
  residual_solver(const factors& other, float regularisation)
      : other_(other)
      , regularisation_(regularisation)
      , system_(other.rows(), other.rows())
      , right_(other.rows())
      , gathered_(other.rows(), block)
      , cholesky_(other.rows()) {}

  /// The x that is best for a row with these residuals r: (Ys Ys^T + n reg I) x = Ys r. Zero for an empty row.
  template <class Out> void solve(std::span<const std::uint32_t> columns, std::span<const float> residuals, Out&& x) {
    system_.setZero();
    system_.diagonal().setConstant(regularisation_ * static_cast<float>(std::max<std::size_t>(columns.size(), 1)));
    right_.setZero();
    for (std::size_t begin = 0; begin < columns.size(); begin += block) {
      const std::size_t n = std::min<std::size_t>(columns.size() - begin, block);
      for (std::size_t c = 0; c < n; ++c) gathered_.col(static_cast<Eigen::Index>(c)) = other_.col(columns[begin + c]);
      const auto some = gathered_.leftCols(static_cast<Eigen::Index>(n));
      system_.selfadjointView<Eigen::Lower>().rankUpdate(some);
      right_.noalias() +=
          some * Eigen::Map<const Eigen::VectorXf>(residuals.data() + begin, static_cast<Eigen::Index>(n));
    }
    cholesky_.compute(system_);
    x = right_;
    cholesky_.solveInPlace(x);
  }

 private:
  static constexpr int block = 256; ///< columns gathered at a time, to stay in the second-level cache

  const factors& other_;
  float regularisation_;
  Eigen::MatrixXf system_;
  Eigen::VectorXf right_;
  factors gathered_;
  Eigen::LLT<Eigen::MatrixXf, Eigen::Lower> cholesky_;
};

/// Half an epoch: every row anew, from the other side's factors. Throws: lk::parallel::cancelled.
inline void solve_residuals(const sparse_rows& rows, const factors& other, factors& out, const als_options& options,
                            const std::stop_token& stop, const std::shared_ptr<lk::parallel::Progress>& progress) {
  const auto solve_some = [&](lk::parallel::chunk part) {
    if (stop.stop_requested()) throw lk::parallel::cancelled();
    residual_solver solver(other, options.regularisation);
    for (std::size_t row = part.begin; row < part.end; ++row)
      solver.solve(rows[row], rows.values_of(row), out.col(static_cast<Eigen::Index>(row)));
  };
  lk::parallel::for_chunks(lk::parallel::WorkChunks::create(rows.size()), solve_some, progress);
}

/// Columns of length 1 in all directions, the same on every machine.
inline factors first_directions(Eigen::Index features, std::size_t n, std::uint64_t seed) {
  factors made = first_factors(features, n, seed);
  made.array() -= 0.005f; // the middle of what first_factors gives
  for (auto column : made.colwise()) column.normalize();
  return made;
}

/// Trains items, then users, in every epoch. Throws: lk::parallel::cancelled when stop is requested.
inline biased_als_model train_biased_als(const interactions& data, const als_options& options,
                                         const std::stop_token& stop = {},
                                         const std::shared_ptr<lk::parallel::Progress>& progress = {}) {
  biased_als_model model{train_biases(data, double{options.damping}),
                         first_directions(options.features, data.by_user.size(), options.seed),
                         empty_factors(options.features, data.by_item.size())};
  const sparse_rows by_user = residuals_by_user(data, model.biases);
  const sparse_rows by_item = transpose(by_user, data.by_item.size());
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    solve_residuals(by_item, model.users, model.items, options, stop, progress);
    solve_residuals(by_user, model.items, model.users, options, stop, progress);
  }
  return model;
}

} // namespace recsys
