// lk-parallel | SPDX-License-Identifier: MIT

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <support/catch.hpp>

#include <recsys/generator.hpp>
#include <recsys/holdout.hpp>

using namespace recsys;

namespace {

std::vector<rating> data() { return generate_ratings({60, 90, 2'400}, 7); }

std::map<std::int64_t, std::size_t> count_by_user(const std::vector<rating>& ratings) {
  std::map<std::int64_t, std::size_t> counts;
  for (const rating& one : ratings) ++counts[one.user];
  return counts;
}

std::vector<rating> of_user(const std::vector<rating>& ratings, std::int64_t user) {
  std::vector<rating> some;
  std::copy_if(ratings.begin(), ratings.end(), std::back_inserter(some), [&](auto& one) { return one.user == user; });
  return some;
}

} // namespace

TEST_CASE("each rating is either trained on or tested", "[holdout]") {
  const std::vector<rating> all = data();
  const divided_ratings made = hold_out(all, {});
  std::set<std::pair<std::int64_t, std::int64_t>> pairs;
  for (const auto* part : {&made.training, &made.test})
    for (const rating& one : *part) CHECK(pairs.emplace(one.user, one.item).second);
  CHECK(pairs.size() == all.size());
}

TEST_CASE("a share of each user's ratings is tested, rounded half up", "[holdout]") {
  const auto all = count_by_user(data());
  const auto tested = count_by_user(hold_out(data(), {.amount = 0.25}).test);
  for (const auto& [user, n] : all) CHECK(tested.at(user) == (n + 2) / 4);
}

TEST_CASE("a number of each user's ratings is tested, but one is always left to train on", "[holdout]") {
  CHECK(n_held_out(20, {.amount = 5}) == 5);
  CHECK(n_held_out(6, {.amount = 5}) == 5);
  CHECK(n_held_out(5, {.amount = 5}) == 4);
  CHECK(n_held_out(2, {.amount = 1e30, .min_ratings = 1}) == 1);
  CHECK(n_held_out(10, {.amount = 0.001}) == 1);
  CHECK(n_held_out(10, {.amount = 0.999}) == 9);
}

TEST_CASE("users with too few ratings are trained on and not tested", "[holdout]") {
  CHECK(n_held_out(4, {}) == 0);
  CHECK(n_held_out(5, {}) == 1);
  CHECK(n_held_out(1, {.min_ratings = 0}) == 0);
  std::vector<rating> all = data();
  all.push_back({1000, 1, 4, 0});
  const divided_ratings made = hold_out(all, {});
  CHECK(of_user(made.training, 1000).size() == 1);
  CHECK(of_user(made.test, 1000).empty());
}

TEST_CASE("what is tested depends on the seed, the user and the user's ratings only", "[holdout]") {
  const std::vector<rating> all = data();
  const divided_ratings made = hold_out(all, {});
  std::vector<rating> turned(all.rbegin(), all.rend());
  CHECK(hold_out(turned, {}).test == made.test);
  CHECK(hold_out(turned, {}).training == made.training);
  CHECK(hold_out(of_user(all, 30), {}).test == of_user(made.test, 30));
  CHECK_FALSE(hold_out(all, {.seed = 2}).test == made.test);
}

TEST_CASE("users with the same number of ratings are tested on different ones", "[holdout]") {
  std::vector<rating> all;
  std::set<std::vector<std::int64_t>> drawn;
  for (std::int64_t user = 1; user <= 10; ++user)
    for (std::int64_t item = 1; item <= 40; ++item) all.push_back({user, item, 3, 0});
  const divided_ratings made = hold_out(all, {});
  for (std::int64_t user = 1; user <= 10; ++user) {
    std::vector<std::int64_t> of_this;
    for (const rating& one : of_user(made.test, user)) of_this.push_back(one.item);
    drawn.insert(of_this);
  }
  CHECK(drawn.size() == 10);
}

TEST_CASE("a pair that was rated again counts once, by its last rating, and never on both sides", "[holdout]") {
  const std::vector<rating> all{{1, 5, 2, 30}, {1, 5, 4, 10}, {1, 6, 1, 10}, {1, 6, 3, 10}};
  CHECK(last_ratings(all) == std::vector<rating>{{1, 5, 2, 30}, {1, 6, 3, 10}});
  const divided_ratings made = hold_out(all, {.min_ratings = 2});
  CHECK(made.training.size() == 1);
  CHECK(made.test.size() == 1);
}

TEST_CASE("test ratings are numbered as the training data are, and unknown items are told", "[holdout]") {
  const std::vector<rating> training{{10, 3, 4, 0}, {20, 3, 4, 0}, {20, 8, 1, 0}};
  const std::vector<rating> test{{10, 5, 2, 0}, {10, 8, 3, 0}, {20, 9, 5, 0}};
  const std::vector<test_user> users = index_test(test, index_ratings(training));
  REQUIRE(users.size() == 2);
  CHECK(users[0].user == 0);
  REQUIRE(users[0].ratings.size() == 2);
  CHECK(users[0].ratings[0].item == unknown_item);
  CHECK(users[0].ratings[1].item == 1);
  CHECK(users[0].ratings[1].value == 3);
  CHECK(users[1].user == 1);
  CHECK(users[1].ratings[0].item == unknown_item);
  CHECK(index_test({}, index_ratings(training)).empty());
}
