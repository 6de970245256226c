// lk-parallel | SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>

#include <recsys/generator.hpp>
#include <recsys/item_knn.hpp>
#include <recsys/ratings_reader.hpp>
#include <recsys/user_profile.hpp>

#include "brute_force_knn.hpp"

using namespace recsys;
using recsys::testing::brute_force_knn;

namespace {

double predict(const item_knn_model& model, const interactions& data, std::uint32_t user, std::uint32_t item) {
  user_profile profile;
  profile.become(data, user);
  return model.predict(profile, item);
}

/// The largest difference over every user and every `step`th item; infinite where only one of them predicts.
double difference(const interactions& data, const item_knn_options& options, std::size_t step) {
  const item_knn_model model = train_item_knn(data, options);
  const brute_force_knn dense(data, options.k, options.min_nbrs, options.min_similarity);
  std::vector<user_profile> profiles(data.user_ids.size());
  for (std::uint32_t user = 0; user < profiles.size(); ++user) profiles[user].become(data, user);
  double largest = 0;
  for (std::size_t item = 0; item < data.item_ids.size(); item += step) {
    const Eigen::VectorXd expected = dense.predictions_for(static_cast<Eigen::Index>(item));
    for (std::uint32_t user = 0; user < profiles.size(); ++user) {
      const double made = model.predict(profiles[user], static_cast<std::uint32_t>(item));
      if (std::isnan(made) != std::isnan(expected[user])) return INFINITY;
      if (!std::isnan(made)) largest = std::max(largest, std::abs(made - expected[user]));
    }
  }
  return largest;
}

interactions indexed(const std::vector<std::vector<float>>& stars) {
  std::vector<rating> ratings;
  for (std::size_t user = 0; user < stars.size(); ++user)
    for (std::size_t item = 0; item < stars[user].size(); ++item)
      if (stars[user][item] > 0)
        ratings.push_back({static_cast<std::int64_t>(user), static_cast<std::int64_t>(item), stars[user][item], 0});
  return index_ratings(ratings);
}

/// Items 0 and 1 are rated alike, item 2 the other way round, item 3 always the same; the last user knows item 1 and 3.
const std::vector<std::vector<float>> small{{5, 4, 1, 3}, {1, 2, 5, 3}, {4, 4, 2, 3}, {0, 5, 0, 3}};

bool same(const item_knn_model& a, const item_knn_model& b) {
  return a.means == b.means && a.begins == b.begins && a.nbrs == b.nbrs && a.similarities == b.similarities;
}

} // namespace

TEST_CASE("a prediction is the item's mean and the weighted deviations of its neighbours", "[item_knn]") {
  const interactions data = indexed(small);
  const item_knn_model model = train_item_knn(data, {});
  CHECK(model.means == std::vector<double>{10.0 / 3, 15.0 / 4, 8.0 / 3, 3});
  CHECK(model.begins == std::vector<std::size_t>{0, 1, 2, 2, 2}); // items 0 and 1 are each other's only neighbour
  CHECK(model.nbrs == std::vector<std::uint32_t>{1, 0});
  CHECK(std::abs(predict(model, data, 3, 0) - (10.0 / 3 + (5 - 15.0 / 4))) < 1e-12);
  CHECK(std::isnan(predict(model, data, 3, 2))); // its cosines are below zero
  CHECK(std::isnan(predict(model, data, 3, 3))); // it has no direction
  CHECK(std::isnan(predict(model, data, 3, 1))); // the item itself is no neighbour
}

TEST_CASE("lists are ranked by the sum of the similarities of the neighbours", "[item_knn]") {
  const interactions data = indexed({{5, 4, 5, 0}, {1, 2, 2, 0}, {3, 3, 4, 5}, {4, 1, 0, 3}});
  const item_knn_model model = train_item_knn(data, {});
  user_profile profile;
  profile.become(data, 3);
  const auto nbrs = std::span(model.nbrs).subspan(model.begins[2], model.begins[3] - model.begins[2]);
  REQUIRE(std::vector(nbrs.begin(), nbrs.end()) == std::vector<std::uint32_t>{0, 1, 3});
  const double* const similarities = &model.similarities[model.begins[2]];
  CHECK(model.score(profile, 2) == static_cast<float>(similarities[0] + similarities[1] + similarities[2]));
  CHECK(std::isnan(train_item_knn(data, {.min_nbrs = 4}).score(profile, 2)));
}

TEST_CASE("predictions agree with dense float64 arithmetic to a millionth", "[item_knn]") {
  const interactions data = index_ratings(generate_ratings({150, 220, 6'000}, 3));
  CHECK(difference(data, {}, 1) < 1e-6);
  CHECK(difference(data, {.k = 3}, 1) < 1e-6);
  CHECK(difference(data, {.k = 5, .min_nbrs = 4, .min_similarity = 0.1}, 1) < 1e-6);
}

TEST_CASE("predictions on real ratings agree with dense float64 arithmetic to a millionth", "[item_knn]") {
  const char* const path = std::getenv("LK_PARALLEL_RATINGS");
  if (path == nullptr || *path == '\0') {
    WARN("skipped: configure with -DLK_PARALLEL_RATINGS=FILE to run on real ratings");
    return;
  }
  const interactions data = index_ratings(read_ratings(path));
  if (data.item_ids.size() * data.user_ids.size() > 20'000'000) {
    WARN("skipped: dense matrices of these ratings are too large");
    return;
  }
  CHECK(difference(data, {}, std::max<std::size_t>(data.item_ids.size() / 25, 1)) < 1e-6);
}

TEST_CASE("the nearest neighbours are kept, and of equally near ones the lower items", "[item_knn]") {
  const interactions data = indexed({{5, 5, 5, 5}, {1, 1, 1, 1}, {0, 0, 5, 4}});
  const item_knn_model model = train_item_knn(data, {.save_nbrs = 2});
  CHECK(std::vector(model.nbrs.begin(), model.nbrs.begin() + 2) == std::vector<std::uint32_t>{1, 2 + 1});
  CHECK(model.begins == std::vector<std::size_t>{0, 2, 4, 6, 8});
}

TEST_CASE("fewer rated neighbours than asked for give no prediction", "[item_knn]") {
  const interactions data = indexed(small);
  CHECK(!std::isnan(predict(train_item_knn(data, {.min_nbrs = 1}), data, 3, 0)));
  CHECK(std::isnan(predict(train_item_knn(data, {.min_nbrs = 2}), data, 3, 0)));
  CHECK(std::isnan(predict(train_item_knn(data, {.min_similarity = 0.999}), data, 3, 0)));
}

TEST_CASE("the model is the same bits whether its chunks run in turn or in parallel", "[item_knn]") {
  const interactions data = index_ratings(generate_ratings({200, 420, 9'000}, 4));
  const item_knn_model in_parallel = train_item_knn(data, {});
  std::optional<item_knn_model> in_turn;
  lk::parallel::for_chunks(lk::parallel::WorkChunks::create(1),
                           [&](lk::parallel::chunk) { in_turn = train_item_knn(data, {}); });
  CHECK(same(in_parallel, *in_turn));
}

TEST_CASE("similarities that differ by rounding only are equal", "[item_knn]") {
  CHECK(rounded(1 - 1e-16) == 1.0);
  CHECK(rounded(0.5 + 1e-16) == 0.5);
  CHECK(rounded(1.0 / 3) == rounded(1.0 / 3 + 1e-16));
  CHECK(std::abs(rounded(1.0 / 3) - 1.0 / 3) < 1e-10);
  CHECK(rounded(0.1) != rounded(0.1 + 1e-9));
}

TEST_CASE("a request to stop ends the search for neighbours, and a least similarity of zero is refused", "[item_knn]") {
  std::stop_source source;
  source.request_stop();
  CHECK_THROWS_AS(train_item_knn(indexed(small), {}, source.get_token()), lk::parallel::cancelled);
  CHECK_THROWS_AS(train_item_knn(indexed(small), {.min_similarity = 0}), std::invalid_argument);
}
