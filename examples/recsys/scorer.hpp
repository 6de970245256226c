// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <variant>
#include <vector>

#include <Eigen/Core>

#include <recsys/recommender.hpp>
#include <recsys/user_profile.hpp>

// Asks a recommender about one user. Knows nothing of processes: each worker has its own, whose members are that
// worker's scratch memory.

namespace recsys {

class scorer {
 public:
  /// A score for each item, by number; NaN where the model has none. Lifetime: until the next call.
  std::span<const float> all_items(const recommender& from, std::uint32_t user) {
    profile_.become(from.data, user);
    scores_.resize(static_cast<Eigen::Index>(from.data.item_ids.size()));
    const auto score = [&]<class Model>(const Model& model) {
      if constexpr (scores_all<Model>)
        model.score_all(profile_, scores_);
      else
        for (Eigen::Index item = 0; item < scores_.size(); ++item)
          scores_[item] = model.score(profile_, static_cast<std::uint32_t>(item));
    };
    std::visit(score, from.model);
    return {scores_.data(), from.data.item_ids.size()};
  }

  /// The same scores of these items only, in their order. Lifetime: until the next call.
  std::span<const float> some_items(const recommender& from, std::uint32_t user, std::span<const std::uint32_t> items) {
    some_.clear();
    const auto score = [&]<class Model>(const Model& model) {
      if constexpr (scores_all<Model>) {
        const std::span<const float> all = all_items(from, user);
        for (const std::uint32_t item : items) some_.push_back(all[item]);
      } else {
        profile_.become(from.data, user);
        for (const std::uint32_t item : items) some_.push_back(model.score(profile_, item));
      }
    };
    std::visit(score, from.model);
    return some_;
  }

  /// How many stars the user will give to each of these items; NaN where the model cannot say.
  /// Throws: std::invalid_argument where the model does not predict ratings.
  std::vector<double> predict(const recommender& from, std::uint32_t user, std::span<const std::uint32_t> items) {
    std::vector<double> ratings;
    ratings.reserve(items.size());
    profile_.become(from.data, user);
    const auto predict_each = [&]<class Model>(const Model& model) {
      if constexpr (predicts_ratings<Model>)
        for (const std::uint32_t item : items) ratings.push_back(model.predict(profile_, item));
      else
        throw std::invalid_argument("a model that ranks items does not predict ratings");
    };
    std::visit(predict_each, from.model);
    return ratings;
  }

 private:
  user_profile profile_;
  Eigen::VectorXf scores_;
  std::vector<float> some_;
};

} // namespace recsys
