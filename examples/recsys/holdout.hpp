// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <tuple>
#include <vector>

#include <lk/parallel/backends/random.hpp>

#include <recsys/interactions.hpp>
#include <recsys/random_source.hpp>
#include <recsys/rating.hpp>

// Puts some of each user's ratings aside, to be compared with what a model that has not seen them says. Which ones
// depends on the seed, the user and this user's own ratings only: neither on the order of the file nor on other users.

namespace recsys {

struct holdout_options {
  double amount = 0.2;         ///< below 1 a share of each user's ratings, from 1 on a number of them
  std::size_t min_ratings = 5; ///< users with fewer are trained on and not tested
  std::uint64_t seed = 1;
};

struct divided_ratings {
  std::vector<rating> training, test; ///< each sorted by user, then item
};

/// How many of a user's n ratings are tested: rounded half up, at least 1, and 1 at least is left to train on.
inline std::size_t n_held_out(std::size_t n, const holdout_options& options) {
  if (n < std::max<std::size_t>(options.min_ratings, 2)) return 0;
  const double wanted = options.amount < 1 ? std::floor(static_cast<double>(n) * options.amount + 0.5) : options.amount;
  return std::clamp<std::size_t>(static_cast<std::size_t>(std::min(wanted, static_cast<double>(n))), 1, n - 1);
}

/// Sorted by user, then item; of several ratings of a pair the last in time, and then in the input, is kept.
inline std::vector<rating> last_ratings(std::span<const rating> ratings) {
  std::vector<std::size_t> order(ratings.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const rating &x = ratings[a], &y = ratings[b];
    return std::tie(x.user, x.item, x.timestamp, a) < std::tie(y.user, y.item, y.timestamp, b);
  });
  std::vector<rating> kept;
  kept.reserve(ratings.size());
  for (const std::size_t place : order) {
    const rating& one = ratings[place];
    if (!kept.empty() && kept.back().user == one.user && kept.back().item == one.item) kept.pop_back();
    kept.push_back(one);
  }
  return kept;
}

/// Draws the places of the ratings that are tested out of a user's n.
inline std::vector<bool> draw_test_places(std::size_t n, std::int64_t user, const holdout_options& options) {
  std::vector<std::size_t> places(n);
  std::iota(places.begin(), places.end(), std::size_t{0});
  random_source random(lk::parallel::task_rng::seed_of(options.seed, static_cast<std::uint64_t>(user)));
  shuffle(places, random);
  std::vector<bool> is_test(n);
  for (std::size_t i = 0; i < n_held_out(n, options); ++i) is_test[places[i]] = true;
  return is_test;
}

inline divided_ratings hold_out(std::span<const rating> ratings, const holdout_options& options) {
  const std::vector<rating> all = last_ratings(ratings);
  divided_ratings made;
  for (auto begin = all.begin(); begin != all.end();) {
    const auto end = std::find_if(begin, all.end(), [&](const rating& one) { return one.user != begin->user; });
    const std::vector<bool> is_test = draw_test_places(static_cast<std::size_t>(end - begin), begin->user, options);
    for (auto one = begin; one != end; ++one)
      (is_test[static_cast<std::size_t>(one - begin)] ? made.test : made.training).push_back(*one);
    begin = end;
  }
  return made;
}

/// In place of the number of an item that has no rating to train on.
inline constexpr std::uint32_t unknown_item = std::numeric_limits<std::uint32_t>::max();

struct test_rating {
  std::uint32_t item; ///< its number in the training data, or unknown_item
  float value;
};

struct test_user {
  std::uint32_t user; ///< its number in the training data
  std::vector<test_rating> ratings;
};

/// The test ratings in the numbers of the training data, sorted by user. Every tested user is in the training data.
inline std::vector<test_user> index_test(std::span<const rating> test, const interactions& training) {
  const auto number_in = [](const std::vector<std::int64_t>& ids, std::int64_t id) {
    const auto at = std::lower_bound(ids.begin(), ids.end(), id);
    return at != ids.end() && *at == id ? static_cast<std::uint32_t>(at - ids.begin()) : unknown_item;
  };
  std::vector<test_user> users;
  for (const rating& one : test) {
    const std::uint32_t user = number_in(training.user_ids, one.user);
    if (users.empty() || users.back().user != user) users.push_back({user, {}});
    users.back().ratings.push_back({number_in(training.item_ids, one.item), one.value});
  }
  return users;
}

} // namespace recsys
