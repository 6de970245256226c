// lk-parallel | SPDX-License-Identifier: MIT

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <Eigen/Dense>

#include <support/catch.hpp>

#include <recsys/als.hpp>
#include <recsys/generator.hpp>
#include <recsys/interactions.hpp>

using namespace recsys;

namespace {

using dense = Eigen::MatrixXd;

/// 1 where a user has seen an item: users x items.
dense preferences(const interactions& data) {
  dense seen =
      dense::Zero(static_cast<Eigen::Index>(data.by_user.size()), static_cast<Eigen::Index>(data.by_item.size()));
  for (std::size_t user = 0; user < data.by_user.size(); ++user)
    for (const std::uint32_t item : data.by_user[user]) seen(static_cast<Eigen::Index>(user), item) = 1;
  return seen;
}

/// What Hu, Koren and Volinsky minimise, over every pair.
double objective(const dense& seen, const als_model& model, const als_options& options) {
  const dense x = model.users.cast<double>(), y = model.items.cast<double>();
  const dense error = seen - x.transpose() * y;
  const dense confidence = (1 + double{options.weight} * seen.array()).matrix();
  return confidence.cwiseProduct(error.cwiseProduct(error)).sum() +
         double{options.regularisation} * (x.squaredNorm() + y.squaredNorm());
}

/// Their equation 4 with the whole confidence matrix of each row: (Y^T C Y + reg I)^-1 Y^T C p.
dense solve_all_pairs(const dense& seen, const dense& other, const als_options& options) {
  const dense ridge = double{options.regularisation} * dense::Identity(other.rows(), other.rows());
  dense solved(other.rows(), seen.rows());
  for (Eigen::Index row = 0; row < seen.rows(); ++row) {
    const Eigen::VectorXd preference = seen.row(row).transpose();
    const dense confidence = (1 + double{options.weight} * preference.array()).matrix().asDiagonal();
    const dense system = other * confidence * other.transpose() + ridge;
    solved.col(row) = system.fullPivLu().solve(other * confidence * preference);
  }
  return solved;
}

/// The largest difference, in units of the largest number.
double difference(const factors& a, const dense& b) {
  return (a.cast<double>() - b).cwiseAbs().maxCoeff() / b.cwiseAbs().maxCoeff();
}

interactions tiny_data() {
  std::vector<rating> ratings;
  for (const auto& [user, item] : {std::pair{10, 1}, {10, 3}, {20, 2}, {20, 3}, {30, 1}, {30, 2}, {30, 9}, {40, 9}})
    ratings.push_back({user, item, 4, 0});
  return index_ratings(ratings);
}

} // namespace

TEST_CASE("ids are numbered in ascending order, and of repeated pairs the latest rating counts", "[interactions]") {
  const std::vector<rating> ratings{{30, 9, 4, 0}, {10, 7, 1, 0}, {30, 2, 5, 3}, {30, 9, 2, 5},
                                    {10, 2, 3, 0}, {30, 2, 1, 2}, {30, 9, 3, 5}};
  const interactions data = index_ratings(ratings);
  CHECK(data.user_ids == std::vector<std::int64_t>{10, 30});
  CHECK(data.item_ids == std::vector<std::int64_t>{2, 7, 9});
  CHECK(data.by_user.begins == std::vector<std::size_t>{0, 2, 4});
  CHECK(data.by_user.columns == std::vector<std::uint32_t>{0, 1, 0, 2});
  CHECK(data.by_user.values == std::vector<float>{3, 1, 5, 3}); // of the same time, the last one
  CHECK(data.by_item.begins == std::vector<std::size_t>{0, 2, 3, 4});
  CHECK(data.by_item.columns == std::vector<std::uint32_t>{0, 1, 0, 1});
  CHECK(data.by_item.values == std::vector<float>{3, 5, 1, 3});
  CHECK(data.n_repeated == 3);
  CHECK(number_of(data.item_ids, 7) == 1u);
  CHECK(number_of(data.item_ids, 8) == std::nullopt);
  CHECK(number_of(data.item_ids, 10) == std::nullopt);
}

TEST_CASE("training agrees with the dense equations over every pair", "[als]") {
  const interactions data = tiny_data();
  const dense seen = preferences(data);
  const als_options options{.features = 3, .epochs = 4};
  dense users = first_factors(options.features, data.by_user.size(), options.seed).cast<double>(), items;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    items = solve_all_pairs(seen.transpose(), users, options);
    users = solve_all_pairs(seen, items, options);
  }
  const als_model model = train_als(data, options);
  CHECK(difference(model.items, items) < 1e-3);
  CHECK(difference(model.users, users) < 1e-3);
}

TEST_CASE("rows longer than a gathered block are solved as the dense equations say", "[als]") {
  const interactions data = index_ratings(generate_ratings({40, 900, 9'000}, 5));
  const als_options options{.features = 8, .epochs = 1};
  const als_model model = train_als(data, options);
  CHECK(difference(model.users, solve_all_pairs(preferences(data), model.items.cast<double>(), options)) < 1e-3);
}

TEST_CASE("every epoch lowers the objective", "[als]") {
  const interactions data = index_ratings(generate_ratings({120, 150, 4'000}, 5));
  const dense seen = preferences(data);
  double before = std::numeric_limits<double>::infinity();
  for (int epochs = 1; epochs <= 8; ++epochs) {
    const als_options options{.features = 10, .epochs = epochs};
    const double now = objective(seen, train_als(data, options), options);
    CHECK(now < before);
    before = now;
  }
  CHECK(before < 0.5 * seen.sum() * (1 + als_options{}.weight)); // far below the model that predicts nothing
}

TEST_CASE("a request to stop ends the training with cancelled", "[als]") {
  std::stop_source source;
  source.request_stop();
  CHECK_THROWS_AS(train_als(tiny_data(), {.features = 3}, source.get_token()), lk::parallel::cancelled);
}
