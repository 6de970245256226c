// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <recsys/interactions.hpp>

// One user as models see them: a number, and each rating at hand. Scratch memory of whoever scores, used for one user
// after the other.

namespace recsys {

/// What stands where a model has no score and no prediction.
inline constexpr double no_score = std::numeric_limits<double>::quiet_NaN();

class user_profile {
 public:
  void become(const interactions& data, std::uint32_t user) {
    for (const std::uint32_t item : rated_) rating_of_[item] = static_cast<float>(no_score);
    if (rating_of_.size() != data.item_ids.size())
      rating_of_.assign(data.item_ids.size(), static_cast<float>(no_score));
    user_ = user;
    const std::span<const std::uint32_t> rated = data.by_user[user];
    rated_.assign(rated.begin(), rated.end());
    const std::span<const float> values = data.by_user.values_of(user);
    for (std::size_t at = 0; at < rated_.size(); ++at) rating_of_[rated_[at]] = values[at];
  }

  std::uint32_t user() const { return user_; }
  std::span<const std::uint32_t> rated() const { return rated_; }        ///< ascending
  float rating_of(std::uint32_t item) const { return rating_of_[item]; } ///< NaN where the user has not rated it

 private:
  std::uint32_t user_ = 0;
  std::vector<std::uint32_t> rated_;
  std::vector<float> rating_of_;
};

} // namespace recsys
