// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <lk/parallel/errors.hpp>
#include <lk/parallel/for_chunks.hpp>

#include <recsys/factors.hpp>
#include <recsys/interactions.hpp>
#include <recsys/user_profile.hpp>

// Implicit-feedback matrix factorisation by alternating least squares: Hu, Koren and Volinsky, "Collaborative filtering
// for implicit feedback datasets", ICDM 2008, https://doi.org/10.1109/ICDM.2008.22. A seen item has preference 1 and
// confidence 1 + weight, any other preference 0 and confidence 1. Rows are solved in chunks on the training arena, each
// of them by one thread, so that the model is the same bits for any number of threads.

namespace recsys {

struct als_model {
  factors users, items;

  /// How much each item is preferred; about 1 for what the user has seen.
  void score_all(const user_profile& of, Eigen::Ref<Eigen::VectorXf> scores) const {
    scores.noalias() = items.transpose() * users.col(of.user());
  }
};

/// The sum of y y^T over all columns y.
inline Eigen::MatrixXf gram(const factors& columns) {
  const Eigen::Index k = columns.rows();
  return lk::parallel::reduce_chunks(
      lk::parallel::WorkChunks::create(static_cast<std::size_t>(columns.cols())),
      Eigen::MatrixXf(Eigen::MatrixXf::Zero(k, k)),
      [&](lk::parallel::chunk part) -> Eigen::MatrixXf {
        const auto some =
            columns.middleCols(static_cast<Eigen::Index>(part.begin), static_cast<Eigen::Index>(part.end - part.begin));
        return some * some.transpose();
      },
      [](const Eigen::MatrixXf& a, const Eigen::MatrixXf& b) -> Eigen::MatrixXf { return a + b; });
}

/// Solves one row after the other against the same other side; keeps its scratch memory from row to row.
class row_solver {
 public:
  /// Lifetime: refers to other and other_gram.
  row_solver(const factors& other, const Eigen::MatrixXf& other_gram, const als_options& options)
      : other_(other)
      , other_gram_(other_gram)
      , options_(options)
      , system_(other.rows(), other.rows())
      , seen_sum_(other.rows())
      , gathered_(other.rows(), block)
      , cholesky_(other.rows()) {}

  /// The x that is best for a row that has seen these columns: (Y^T Y + weight Ys^T Ys + reg I) x = (1 + weight) sum
  /// Ys.
  template <class Out> void solve(std::span<const std::uint32_t> seen, Out&& x) {
    system_ = other_gram_;
    system_.diagonal().array() += options_.regularisation;
    seen_sum_.setZero();
    while (!seen.empty()) {
      const auto some = seen.first(std::min<std::size_t>(seen.size(), block));
      for (std::size_t c = 0; c < some.size(); ++c) gathered_.col(static_cast<Eigen::Index>(c)) = other_.col(some[c]);
      const auto columns = gathered_.leftCols(static_cast<Eigen::Index>(some.size()));
      system_.selfadjointView<Eigen::Lower>().rankUpdate(columns, options_.weight);
      seen_sum_ += columns.rowwise().sum();
      seen = seen.subspan(some.size());
    }
    cholesky_.compute(system_);
    x = seen_sum_ * (1 + options_.weight);
    cholesky_.solveInPlace(x);
  }

 private:
  static constexpr int block = 256; ///< columns gathered at a time, to stay in the second-level cache

  const factors& other_;
  const Eigen::MatrixXf& other_gram_;
  const als_options& options_;
  Eigen::MatrixXf system_;
  Eigen::VectorXf seen_sum_;
  factors gathered_;
  Eigen::LLT<Eigen::MatrixXf, Eigen::Lower> cholesky_;
};

/// Half an epoch: every row anew, from the other side's factors. Throws: lk::parallel::cancelled.
inline void solve_rows(const sparse_rows& rows, const factors& other, factors& out, const als_options& options,
                       const std::stop_token& stop, const std::shared_ptr<lk::parallel::Progress>& progress) {
  const Eigen::MatrixXf other_gram = gram(other);
  const auto solve_some = [&](lk::parallel::chunk part) {
    if (stop.stop_requested()) throw lk::parallel::cancelled();
    row_solver solver(other, other_gram, options);
    for (std::size_t row = part.begin; row < part.end; ++row)
      solver.solve(rows[row], out.col(static_cast<Eigen::Index>(row)));
  };
  lk::parallel::for_chunks(lk::parallel::WorkChunks::create(rows.size()), solve_some, progress);
}

/// Trains items, then users, in every epoch. Throws: lk::parallel::cancelled when stop is requested.
inline als_model train_als(const interactions& data, const als_options& options, const std::stop_token& stop = {},
                           const std::shared_ptr<lk::parallel::Progress>& progress = {}) {
  als_model model{first_factors(options.features, data.by_user.size(), options.seed),
                  empty_factors(options.features, data.by_item.size())};
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    solve_rows(data.by_item, model.users, model.items, options, stop, progress);
    solve_rows(data.by_user, model.items, model.users, options, stop, progress);
  }
  return model;
}

} // namespace recsys
