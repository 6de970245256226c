// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <recsys/random_source.hpp>
#include <recsys/rating.hpp>

// Makes a ratings data set with the shape of MovieLens-1M: few very active users and very popular items, long tails of
// both, and tastes for a model to find. Integers only, so that shape and seed give the same bits everywhere.

namespace recsys {

struct data_shape {
  std::uint32_t users = 6040;
  std::uint32_t items = 3706;
  std::uint64_t ratings = 1'000'209;

  static constexpr std::uint64_t min_per_user = 20;
  std::uint64_t max_per_user() const { return std::uint64_t{items} * 5 / 8; }
};

/// Throws: std::invalid_argument where no data set has this shape.
inline void check_shape(const data_shape& shape) {
  if (shape.users == 0 || shape.max_per_user() < data_shape::min_per_user)
    throw std::invalid_argument("a generated data set needs at least 1 user and 32 items");
  const std::uint64_t least = std::max<std::uint64_t>(shape.users * data_shape::min_per_user, shape.items);
  const std::uint64_t most = std::min<std::uint64_t>(shape.users * shape.max_per_user(), 100'000'000);
  if (shape.ratings < least || shape.ratings > most)
    throw std::invalid_argument(std::to_string(shape.users) + " users and " + std::to_string(shape.items) +
                                " items can have from " + std::to_string(least) + " to " + std::to_string(most) +
                                " ratings, not " + std::to_string(shape.ratings));
}

/// How many ratings the users give, the most active first: 20 each, the rest in shares of about 1 / rank.
inline std::vector<std::uint64_t> activity_by_rank(const data_shape& shape) {
  const auto weight = [&](std::uint64_t rank) { return (shape.users - rank) * (1 << 20) / (45 * rank + shape.users); };
  std::uint64_t all = 0;
  for (std::uint64_t rank = 0; rank < shape.users; ++rank) all += weight(rank);

  const std::uint64_t to_share = shape.ratings - shape.users * data_shape::min_per_user;
  std::vector<std::uint64_t> activity(shape.users);
  std::uint64_t up_to_here = 0, dealt = 0;
  for (std::uint64_t rank = 0; rank < shape.users; ++rank) {
    up_to_here += weight(rank);
    const std::uint64_t due = to_share * up_to_here / all - dealt; // includes what did not fit the ranks before
    const std::uint64_t extra = std::min(due, shape.max_per_user() - data_shape::min_per_user);
    activity[rank] = data_shape::min_per_user + extra;
    dealt += extra;
  }
  return activity;
}

/// Running sums of the items' weights, the most popular first; they fall a little faster than 1 / rank.
inline std::vector<std::uint64_t> popularity_sums(std::uint64_t items) {
  std::vector<std::uint64_t> sums(items);
  std::uint64_t sum = 0;
  for (std::uint64_t rank = 0; rank < items; ++rank) {
    const std::uint64_t left = items - rank;
    sum += 1 + 1024 * left * left / (45 * rank + items);
    sums[rank] = sum;
  }
  return sums;
}

/// Who rates what: one draw from popularity, kept for certain in a genre the user likes and one time in three
/// elsewhere.
class rating_generator {
 public:
  rating_generator(const data_shape& shape, std::uint64_t seed)
      : shape_(shape)
      , random_(seed)
      , activity_(activity_by_rank(shape))
      , sums_(popularity_sums(shape.items))
      , first_raters_(shape.users)
      , seen_by_(shape.items, shape.users) {
    shuffle(activity_, random_);
    for (std::uint32_t item = 0; item < shape.items; ++item) {
      item_of_rank_.push_back(item);
      genre_.push_back(random_.below(n_genres));
    }
    shuffle(item_of_rank_, random_);
    deal_first_raters();
  }

  std::vector<rating> generate() {
    std::vector<rating> all;
    all.reserve(shape_.ratings);
    for (std::uint32_t user = 0; user < shape_.users; ++user) append_user(user, all);
    return all;
  }

 private:
  static constexpr std::uint64_t n_genres = 16;
  static constexpr std::int64_t first_day = 956'703'932, a_month = 30 * 86'400;

  /// Every item gets one rater, so that each of them occurs in the data.
  void deal_first_raters() {
    for (std::uint32_t item = 0; item < shape_.items; ++item) {
      std::uint64_t user = random_.below(shape_.users);
      while (first_raters_[user].size() == activity_[user]) user = (user + 1) % shape_.users;
      first_raters_[user].push_back(item);
    }
  }

  std::uint32_t draw_item() {
    const auto at = std::upper_bound(sums_.begin(), sums_.end(), random_.below(sums_.back()));
    return item_of_rank_[static_cast<std::size_t>(at - sums_.begin())];
  }

  /// Units: stars, with about the shares of MovieLens-1M.
  int draw_stars() {
    const std::uint64_t percent = random_.below(100);
    return percent < 7 ? 1 : percent < 20 ? 2 : percent < 49 ? 3 : percent < 83 ? 4 : 5;
  }

  void append_user(std::uint32_t user, std::vector<rating>& all) {
    std::uint64_t liked = 0;
    for (int k = 0; k < 4; ++k) liked |= std::uint64_t{1} << random_.below(n_genres);
    const auto likes = [&](std::uint32_t item) { return (liked >> genre_[item] & 1) != 0; };

    std::vector<std::uint32_t> items = std::move(first_raters_[user]);
    for (const std::uint32_t item : items) seen_by_[item] = user;
    while (items.size() < activity_[user]) {
      const std::uint32_t item = draw_item();
      if (seen_by_[item] == user || (!likes(item) && random_.below(3) != 0)) continue;
      seen_by_[item] = user;
      items.push_back(item);
    }
    std::sort(items.begin(), items.end());

    const std::int64_t joined = first_day + static_cast<std::int64_t>(random_.below(30 * a_month));
    for (const std::uint32_t item : items) {
      const int stars = likes(item) ? std::max(draw_stars(), draw_stars()) : draw_stars();
      const std::int64_t when = joined + static_cast<std::int64_t>(random_.below(a_month));
      all.push_back({user + 1, item + 1, static_cast<float>(stars), when});
    }
  }

  data_shape shape_;
  random_source random_;
  std::vector<std::uint64_t> activity_;                  ///< ratings of each user
  std::vector<std::uint64_t> sums_;                      ///< popularity by rank, summed up
  std::vector<std::vector<std::uint32_t>> first_raters_; ///< items dealt to each user
  std::vector<std::uint32_t> seen_by_;                   ///< the last user to whom each item went
  std::vector<std::uint32_t> item_of_rank_;
  std::vector<std::uint64_t> genre_;
};

/// Ratings sorted by user, then item; ids count from 1. Throws: std::invalid_argument as check_shape.
inline std::vector<rating> generate_ratings(const data_shape& shape, std::uint64_t seed) {
  check_shape(shape);
  return rating_generator(shape, seed).generate();
}

} // namespace recsys
