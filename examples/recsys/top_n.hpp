// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include <recsys/recommender.hpp>
#include <recsys/scorer.hpp>

// The operation that is applied to every user: score the items, leave out what must not be in the list, keep the best.
// It knows nothing of processes; the invoker gives each worker its own copy, whose members are that worker's scratch
// memory.

namespace recsys {

struct scored_item {
  std::uint32_t item; ///< its number, not its id
  float score;
  friend bool operator==(const scored_item&, const scored_item&) = default;
};

/// Best first; of equal scores the lower item first.
inline bool better(const scored_item& a, const scored_item& b) {
  return a.score != b.score ? a.score > b.score : a.item < b.item;
}

/// What lists are made of.
struct list_options {
  std::size_t n = 100;
  bool exclude_seen = true;
  bool all_items = true;                      ///< or only the candidates
  std::vector<std::uint32_t> candidates = {}; ///< numbers, ascending
};

class top_n {
 public:
  explicit top_n(list_options options) : options_(std::move(options)) {}
  explicit top_n(std::size_t n) { options_.n = n; }

  /// At most n items of a user, best first; none that the model has no score for. Where the user has rated so much that
  /// fewer are left, a line of log says so.
  std::vector<scored_item> operator()(const recommender& from, std::uint32_t user) {
    gather(from, user);
    const std::size_t n = options_.n;
    if (left_.size() + n_unscored_ < n && n <= n_items_)
      spdlog::warn("user {} has only {} unseen items, fewer than {}", from.data.user_ids[user], left_.size(), n);
    const auto end = left_.begin() + static_cast<std::ptrdiff_t>(std::min(n, left_.size()));
    if (end != left_.end()) std::nth_element(left_.begin(), end, left_.end(), better);
    std::sort(left_.begin(), end, better);
    return {left_.begin(), end};
  }

 private:
  void gather(const recommender& from, std::uint32_t user) {
    left_.clear();
    n_unscored_ = 0;
    const std::span<const std::uint32_t> seen = from.data.by_user[user];
    auto next_seen = options_.exclude_seen ? seen.begin() : seen.end();
    const auto take = [&](std::uint32_t item, float score) {
      while (next_seen != seen.end() && *next_seen < item) ++next_seen;
      if (next_seen != seen.end() && *next_seen == item) return;
      if (std::isnan(score))
        ++n_unscored_;
      else
        left_.push_back({item, score});
    };
    if (options_.all_items) {
      const std::span<const float> scores = scorer_.all_items(from, user);
      n_items_ = scores.size();
      for (std::uint32_t item = 0; item < scores.size(); ++item) take(item, scores[item]);
    } else {
      const std::span<const float> scores = scorer_.some_items(from, user, options_.candidates);
      n_items_ = scores.size();
      for (std::size_t at = 0; at < scores.size(); ++at) take(options_.candidates[at], scores[at]);
    }
  }

  list_options options_;
  scorer scorer_;
  std::vector<scored_item> left_;
  std::size_t n_items_ = 0, n_unscored_ = 0;
};

} // namespace recsys
