// lk-parallel | SPDX-License-Identifier: MIT

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include <Eigen/Dense>

#include <support/catch.hpp>

#include <recsys/biased_als.hpp>
#include <recsys/generator.hpp>
#include <recsys/interactions.hpp>
#include <recsys/user_profile.hpp>

using namespace recsys;

namespace {

using dense = Eigen::MatrixXd;

/// The two sides of the equation of each row, from whole matrices: residuals users x items, and where they are known.
dense solve_known(const dense& residuals, const dense& known, const dense& other, double regularisation) {
  dense solved(other.rows(), residuals.rows());
  for (Eigen::Index row = 0; row < residuals.rows(); ++row) {
    const Eigen::VectorXd mask = known.row(row).transpose();
    const dense system = other * mask.asDiagonal() * other.transpose() +
                         regularisation * mask.sum() * dense::Identity(other.rows(), other.rows());
    solved.col(row) = system.fullPivLu().solve(other * residuals.row(row).transpose());
  }
  return solved;
}

/// The root of the mean squared difference between ratings and their predictions.
double error_on(const interactions& data, const biased_als_model& model) {
  double sum = 0;
  user_profile profile;
  for (std::uint32_t user = 0; user < data.by_user.size(); ++user) {
    profile.become(data, user);
    for (const std::uint32_t item : profile.rated())
      sum += std::pow(double{profile.rating_of(item)} - model.predict(profile, item), 2);
  }
  return std::sqrt(sum / static_cast<double>(data.by_user.columns.size()));
}

double difference(const factors& a, const dense& b) {
  return (a.cast<double>() - b).cwiseAbs().maxCoeff() / b.cwiseAbs().maxCoeff();
}

} // namespace

TEST_CASE("biases are damped means: of all ratings, then of items, then of users", "[biased_als]") {
  const std::vector<rating> ratings{{1, 1, 4, 0}, {1, 2, 2, 0}, {2, 1, 5, 0}};
  const bias_model biases = train_biases(index_ratings(ratings), 1);
  const double mean = 11.0 / 3, first = (9 - 2 * mean) / 3, second = (2 - mean) / 2;
  CHECK(std::abs(biases.mean - mean) < 1e-12);
  CHECK(std::abs(biases.items[0] - first) < 1e-12);
  CHECK(std::abs(biases.items[1] - second) < 1e-12);
  CHECK(std::abs(biases.users[0] - (6 - 2 * mean - first - second) / 3) < 1e-12);
  CHECK(std::abs(biases.users[1] - (5 - mean - first) / 2) < 1e-12);
}

TEST_CASE("training on residuals agrees with the dense equations", "[biased_als]") {
  const interactions data = index_ratings(generate_ratings({40, 700, 7'000}, 5)); // rows longer than a gathered block
  const als_options options{.features = 4, .epochs = 2};
  const bias_model biases = train_biases(data, double{options.damping});
  const sparse_rows left = residuals_by_user(data, biases);
  dense residuals = dense::Zero(40, static_cast<Eigen::Index>(data.item_ids.size())), known = residuals;
  for (std::size_t user = 0; user < left.size(); ++user)
    for (std::size_t at = 0; at < left[user].size(); ++at) {
      residuals(static_cast<Eigen::Index>(user), left[user][at]) = double{left.values_of(user)[at]};
      known(static_cast<Eigen::Index>(user), left[user][at]) = 1;
    }
  dense users = first_directions(options.features, 40, options.seed).cast<double>(), items;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    items = solve_known(residuals.transpose(), known.transpose(), users, double{options.regularisation});
    users = solve_known(residuals, known, items, double{options.regularisation});
  }
  const biased_als_model model = train_biased_als(data, options);
  CHECK(difference(model.items, items) < 1e-3);
  CHECK(difference(model.users, users) < 1e-3);
}

TEST_CASE("factors explain what biases leave, and scores are the predictions", "[biased_als]") {
  const interactions data = index_ratings(generate_ratings({120, 150, 4'000}, 5));
  const biased_als_model without = train_biased_als(data, {.features = 10, .epochs = 0});
  const biased_als_model with = train_biased_als(data, {.features = 10, .epochs = 10});
  biased_als_model biases_only = without;
  biases_only.items.setZero();
  CHECK(error_on(data, with) < 0.9 * error_on(data, biases_only));

  user_profile profile;
  profile.become(data, 7);
  Eigen::VectorXf scores(150);
  with.score_all(profile, scores);
  for (std::uint32_t item = 0; item < 150; ++item)
    CHECK(std::abs(double{scores[item]} - with.predict(profile, item)) < 1e-5);
}

TEST_CASE("factors are the same bits whether their chunks run in turn or in parallel", "[biased_als]") {
  const interactions data = index_ratings(generate_ratings({200, 420, 9'000}, 4));
  const als_options options{.features = 6, .epochs = 2};
  const biased_als_model in_parallel = train_biased_als(data, options);
  std::optional<biased_als_model> in_turn;
  lk::parallel::for_chunks(lk::parallel::WorkChunks::create(1),
                           [&](lk::parallel::chunk) { in_turn = train_biased_als(data, options); });
  CHECK((in_parallel.users == in_turn->users));
  CHECK((in_parallel.items == in_turn->items));
}

TEST_CASE("a request to stop ends the training on residuals with cancelled", "[biased_als]") {
  std::stop_source source;
  source.request_stop();
  const interactions data = index_ratings(std::vector<rating>{{1, 1, 4, 0}, {2, 1, 3, 0}});
  CHECK_THROWS_AS(train_biased_als(data, {.features = 3}, source.get_token()), lk::parallel::cancelled);
}
