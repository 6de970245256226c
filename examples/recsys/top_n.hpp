// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <spdlog/spdlog.h>

#include <recsys/als.hpp>
#include <recsys/interactions.hpp>

// The operation that is applied to every user: score all items, leave out the seen ones, keep the best. It knows
// nothing of processes; the invoker gives each worker its own copy, whose members are that worker's scratch memory.

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

/// A trained model together with what it was trained on.
struct recommender {
  als_model model;
  interactions data;
};

class top_n {
 public:
  explicit top_n(std::size_t n) : n_(n) {}

  /// At most n unseen items of a user, best first. Where the user has rated so much that fewer are left, a line of log
  /// says so.
  std::vector<scored_item> operator()(const recommender& from, std::uint32_t user) {
    scores_.noalias() = from.model.items.transpose() * from.model.users.col(user);
    candidates_.clear();
    const std::span<const std::uint32_t> seen = from.data.by_user[user];
    auto next_seen = seen.begin();
    for (std::uint32_t item = 0; item < scores_.size(); ++item) {
      if (next_seen != seen.end() && *next_seen == item)
        ++next_seen;
      else
        candidates_.push_back({item, scores_[item]});
    }
    if (candidates_.size() < n_ && n_ <= from.data.item_ids.size())
      spdlog::warn("user {} has only {} unseen items, fewer than {}", from.data.user_ids[user], candidates_.size(), n_);
    const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(std::min(n_, candidates_.size()));
    if (end != candidates_.end()) std::nth_element(candidates_.begin(), end, candidates_.end(), better);
    std::sort(candidates_.begin(), end, better);
    return {candidates_.begin(), end};
  }

 private:
  std::size_t n_;
  Eigen::VectorXf scores_;
  std::vector<scored_item> candidates_;
};

} // namespace recsys
