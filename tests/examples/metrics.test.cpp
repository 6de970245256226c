// lk-parallel | SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include <support/catch.hpp>

#include <lk/parallel/backends/random.hpp>

#include <recsys/bootstrap.hpp>
#include <recsys/metrics.hpp>
#include <recsys/random_source.hpp>

using namespace recsys;
using lk::parallel::testing::Approx;

namespace {

using items = std::vector<std::uint32_t>;

/// Every measure of a list, computed item by item from its definition.
struct by_definition {
  by_definition(const items& list, const items& relevant, std::size_t k) {
    const std::set<std::uint32_t> wanted(relevant.begin(), relevant.end());
    double gain = 0, best = 0;
    for (std::size_t rank = 1; rank <= k; ++rank) {
      const double worth = rank == 1 ? 1 : std::log(2.0) / std::log(static_cast<double>(rank));
      if (rank <= wanted.size()) best += worth;
      if (rank > list.size() || !wanted.contains(list[rank - 1])) continue;
      gain += worth;
      ++n_hits;
      if (first == 0) first = rank;
    }
    ndcg = gain / best;
    recall = n_hits / static_cast<double>(std::min(k, wanted.size()));
    precision = n_hits / static_cast<double>(std::min(k, list.size()));
  }
  double n_hits = 0, ndcg, recall, precision;
  std::size_t first = 0; ///< rank of the first hit
};

/// A list of distinct items, and some of all items in ascending order.
struct random_case {
  items list, relevant;
  random_case(random_source& random) {
    for (std::uint32_t item = 0; item < 30; ++item) {
      list.push_back(item);
      if (random.below(4) == 0) relevant.push_back(item);
    }
    shuffle(list, random);
    list.resize(random.below(20) + 1);
    if (relevant.empty()) relevant.push_back(7);
  }
};

user_scores of_value(double value) {
  user_scores made;
  made.fill(whole_share(value));
  return made;
}

double at(const metric_values& values, metric m) { return values[static_cast<std::size_t>(m)]; }

} // namespace

TEST_CASE("the measures of a list are what they are by hand", "[metrics]") {
  const items list{5, 2, 9, 4}, relevant{1, 4, 9};
  const judged_list judged{list, relevant, 10};
  CHECK(ndcg(judged) == Approx((1 / std::log2(3.0) + 0.5) / (1 + 1 + 1 / std::log2(3.0))));
  CHECK(recall(judged) == Approx(2.0 / 3));
  CHECK(precision(judged) == Approx(0.5));
  CHECK(reciprocal_rank(judged) == Approx(1.0 / 3));
  CHECK(has_hit(judged) == 1);
}

TEST_CASE("the first two places of a list are worth the same, as in LensKit", "[metrics]") {
  const items relevant{1};
  const items first{1, 2}, second{2, 1}, third{2, 3, 1};
  CHECK(ndcg({first, relevant, 10}) == 1);
  CHECK(ndcg({second, relevant, 10}) == 1);
  CHECK(ndcg({third, relevant, 10}) == Approx(1 / std::log2(3.0)));
}

TEST_CASE("only the first k items of a list count, and no more than k relevant items are asked for", "[metrics]") {
  const items list{1, 8, 2, 3}, relevant{1, 2, 3, 4, 5};
  CHECK(recall({list, relevant, 2}) == Approx(0.5));
  CHECK(precision({list, relevant, 2}) == Approx(0.5));
  CHECK(ndcg({list, relevant, 2}) == Approx(0.5));
  const items perfect{3, 1};
  CHECK(ndcg({perfect, relevant, 2}) == 1);
  CHECK(recall({perfect, relevant, 2}) == 1);
  const items late{7, 8, 1};
  CHECK(reciprocal_rank({late, relevant, 2}) == 0);
  CHECK(has_hit({late, relevant, 2}) == 0);
}

TEST_CASE("a list shorter than k is judged by what it has", "[metrics]") {
  const items one{4}, none, relevant{4, 6};
  CHECK(precision({one, relevant, 10}) == 1);
  CHECK(recall({one, relevant, 10}) == Approx(0.5));
  CHECK(ndcg({one, relevant, 10}) == Approx(0.5));
  CHECK(ndcg({none, relevant, 10}) == 0);
  CHECK(recall({none, relevant, 10}) == 0);
  CHECK(reciprocal_rank({none, relevant, 10}) == 0);
  CHECK(has_hit({none, relevant, 10}) == 0);
  CHECK(std::isnan(precision({none, relevant, 10})));
}

TEST_CASE("a user without relevant items has no measures and does not count", "[metrics]") {
  const items list{1, 2}, none;
  const judged_list judged{list, none, 10};
  for (const double value : {ndcg(judged), recall(judged), precision(judged), reciprocal_rank(judged), has_hit(judged)})
    CHECK(std::isnan(value));
  const user_scores left_out = scores_of(judged, {});
  const std::vector<user_scores> users{of_value(0.5), left_out, of_value(0.25)};
  CHECK(at(values_of(users), metric::ndcg) == Approx(0.375));
}

TEST_CASE("the measures agree with their definitions on random lists", "[metrics]") {
  random_source random(5);
  for (int round = 0; round < 500; ++round) {
    const random_case made(random);
    const std::size_t k = random.below(12) + 1;
    const judged_list judged{made.list, made.relevant, k};
    const by_definition expected(made.list, made.relevant, k);
    CHECK(ndcg(judged) == Approx(expected.ndcg));
    CHECK(recall(judged) == Approx(expected.recall));
    CHECK(precision(judged) == Approx(expected.precision));
    CHECK(reciprocal_rank(judged) == Approx(expected.first == 0 ? 0 : 1 / static_cast<double>(expected.first)));
    CHECK(has_hit(judged) == (expected.first == 0 ? 0 : 1));
  }
}

TEST_CASE("errors are means over predictions, or over users, and coverage tells what is missing", "[metrics]") {
  prediction_errors a, b;
  for (const auto& [prediction, rating] : {std::pair{3.0, 4.0}, {5.0, 2.0}, {undefined, 3.0}})
    a.add(prediction, rating);
  b.add(4.5, 4.0);
  const std::vector<user_scores> users{scores_of({{}, {}, 10}, a), scores_of({{}, {}, 10}, b),
                                       scores_of({{}, {}, 10}, {})};
  const metric_values values = values_of(users);
  CHECK(at(values, metric::rmse) == Approx(std::sqrt((1 + 9 + 0.25) / 3)));
  CHECK(at(values, metric::mae) == Approx((1 + 3 + 0.5) / 3));
  CHECK(at(values, metric::user_rmse) == Approx((std::sqrt(5.0) + 0.5) / 2));
  CHECK(at(values, metric::user_mae) == Approx((2 + 0.5) / 2));
  CHECK(at(values, metric::coverage) == Approx(0.75));
}

TEST_CASE("without any prediction the errors are undefined and the coverage is 0", "[metrics]") {
  prediction_errors none;
  none.add(undefined, 4);
  const std::vector<user_scores> users{scores_of({{}, {}, 10}, none)};
  const metric_values values = values_of(users);
  CHECK(std::isnan(at(values, metric::rmse)));
  CHECK(std::isnan(at(values, metric::user_mae)));
  CHECK(at(values, metric::coverage) == 0);
  CHECK(std::isnan(at(values_of({}), metric::coverage)));
}

TEST_CASE("quantiles lie on straight lines between the sorted values", "[bootstrap]") {
  const std::vector<double> sorted{1, 2, 4, 8};
  CHECK(quantile(sorted, 0) == 1);
  CHECK(quantile(sorted, 0.5) == Approx(3));
  CHECK(quantile(sorted, 0.9) == Approx(4 + 0.7 * 4));
  CHECK(quantile(sorted, 1) == 8);
  CHECK(quantile(std::vector<double>{5}, 0.3) == 5);
}

TEST_CASE("the interval is the middle of the replicates that are defined", "[bootstrap]") {
  std::vector<double> replicates;
  for (int i = 1000; i >= 0; --i) replicates.push_back(i);
  replicates.insert(replicates.begin() + 5, undefined);
  const interval middle = percentile_interval(replicates, 0.9);
  CHECK(middle.low == Approx(50));
  CHECK(middle.high == Approx(950));
  CHECK(std::isnan(percentile_interval({undefined, undefined}, 0.9).low));
  CHECK(std::isnan(percentile_interval({}, 0.9).high));
}

TEST_CASE("every number below n is drawn about equally often", "[bootstrap]") {
  lk::parallel::task_rng random(1);
  std::vector<int> seen(7);
  for (int i = 0; i < 70'000; ++i) ++seen.at(draw_below(random, seen.size()));
  for (const int n : seen) CHECK(std::abs(n - 10'000) < 500); // five times the standard deviation
}

TEST_CASE("the interval of a mean is about that of the normal distribution", "[bootstrap]") {
  random_source source(3);
  std::vector<user_scores> users;
  double sum = 0, squares = 0;
  for (int i = 0; i < 400; ++i) {
    const double value = static_cast<double>(source.below(1000)) / 1000;
    sum += value;
    squares += value * value;
    users.push_back(of_value(value));
  }
  const double mean = sum / 400, error = std::sqrt((squares / 400 - mean * mean) / 400);
  lk::parallel::task_rng random(4);
  std::vector<double> replicates;
  for (int i = 0; i < 4000; ++i) replicates.push_back(at(resampled_values(users, random), metric::recall));
  const interval found = percentile_interval(replicates, 0.95);
  CHECK(found.low == Approx(mean - 1.96 * error).margin(0.1 * error));
  CHECK(found.high == Approx(mean + 1.96 * error).margin(0.1 * error));
}
