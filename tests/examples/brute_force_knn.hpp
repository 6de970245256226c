// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <recsys/interactions.hpp>

// Item k-NN once more, from its formulas, with dense matrices of doubles and without a thought of speed: what the
// sparse model is compared with. Shares no code with it but the ratings.

namespace recsys::testing {

class brute_force_knn {
 public:
  brute_force_knn(const interactions& data, std::size_t k, std::size_t min_nbrs, double min_similarity)
      : k_(k)
      , min_nbrs_(min_nbrs)
      , min_similarity_(min_similarity)
      , ratings_(Eigen::MatrixXd::Constant(to_index(data.item_ids.size()), to_index(data.user_ids.size()), missing))
      , units_(Eigen::MatrixXd::Zero(ratings_.rows(), ratings_.cols()))
      , means_(ratings_.rows()) {
    for (std::size_t user = 0; user < data.by_user.size(); ++user)
      for (std::size_t at = 0; at < data.by_user[user].size(); ++at)
        ratings_(data.by_user[user][at], to_index(user)) = double{data.by_user.values_of(user)[at]};
    for (Eigen::Index item = 0; item < ratings_.rows(); ++item) {
      const Eigen::ArrayXd stars = ratings_.row(item);
      const auto known = !stars.isNaN();
      means_[item] = known.select(stars, 0).sum() / static_cast<double>(known.count());
      const Eigen::VectorXd centred = known.select(stars - means_[item], 0);
      if (centred.norm() > 0) units_.row(item) = centred.transpose() / centred.norm();
    }
  }

  /// What every user is predicted to give to the item; NaN: no prediction.
  Eigen::VectorXd predictions_for(Eigen::Index item) const {
    const Eigen::VectorXd cosines = units_ * units_.row(item).transpose();
    Eigen::VectorXd predicted(ratings_.cols());
    for (Eigen::Index user = 0; user < predicted.size(); ++user) predicted[user] = predict(user, item, cosines);
    return predicted;
  }

 private:
  using nbr = std::pair<double, Eigen::Index>; ///< similarity, item
  static constexpr double missing = std::numeric_limits<double>::quiet_NaN();

  static Eigen::Index to_index(std::size_t n) { return static_cast<Eigen::Index>(n); }

  /// The nearest first. Cosines are never exactly equal after sums in different orders; those that differ by less than
  /// a billionth count as equal, and of equals the lower item comes first.
  static void sort_by_nearness(std::vector<nbr>& nbrs) {
    std::sort(nbrs.begin(), nbrs.end(), [](const nbr& a, const nbr& b) { return a.first > b.first; });
    for (auto begin = nbrs.begin(); begin != nbrs.end();) {
      auto end = begin + 1;
      while (end != nbrs.end() && (end - 1)->first - end->first < 1e-9 * end->first) ++end;
      std::sort(begin, end, [](const nbr& a, const nbr& b) { return a.second < b.second; });
      begin = end;
    }
  }

  double predict(Eigen::Index user, Eigen::Index item, const Eigen::VectorXd& cosines) const {
    std::vector<nbr> nbrs;
    for (Eigen::Index other = 0; other < ratings_.rows(); ++other)
      if (other != item && cosines[other] >= min_similarity_ && !std::isnan(ratings_(other, user)))
        nbrs.emplace_back(cosines[other], other);
    if (nbrs.size() < min_nbrs_ || nbrs.empty()) return missing;
    sort_by_nearness(nbrs);
    nbrs.resize(std::min(nbrs.size(), k_));
    double weighted = 0, weights = 0;
    for (const auto& [similarity, other] : nbrs) {
      weighted += similarity * (ratings_(other, user) - means_[other]);
      weights += std::abs(similarity);
    }
    return means_[item] + weighted / weights;
  }

  std::size_t k_, min_nbrs_;
  double min_similarity_;
  Eigen::MatrixXd ratings_, units_; ///< items x users
  Eigen::VectorXd means_;
};

} // namespace recsys::testing
