// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

// How good a list or a prediction is, by LensKit's definitions (https://lkpy.lenskit.org, lenskit.metrics), and how the
// numbers of many users become one. Pure functions of numbers: they know no model and no file.

namespace recsys {

inline constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

/// A list for one user, best item first, and what the user really wants: distinct items, ascending. Only the first k
/// items of the list count. The measures are undefined (NaN) where nothing is relevant.
struct judged_list {
  std::span<const std::uint32_t> items, relevant;
  std::size_t k;

  std::size_t size() const { return std::min(items.size(), k); }
  bool is_hit(std::size_t place) const { return std::binary_search(relevant.begin(), relevant.end(), items[place]); }
  std::size_t n_hits() const {
    std::size_t n = 0;
    for (std::size_t place = 0; place < size(); ++place) n += is_hit(place) ? 1 : 0;
    return n;
  }
};

/// What a hit is worth at a place, from 0: 1 / max(log2(rank), 1), so that the first two places are worth the same.
/// Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 2002; LogRankWeight.
inline double rank_weight(std::size_t place) { return 1 / std::max(std::log2(static_cast<double>(place + 1)), 1.0); }

/// Normalised discounted cumulative gain: the best that any list could have is that of min(k, relevant) hits in a row.
inline double ndcg(const judged_list& list) {
  double gain = 0, best = 0;
  for (std::size_t place = 0; place < list.size(); ++place) gain += list.is_hit(place) ? rank_weight(place) : 0;
  for (std::size_t place = 0; place < std::min(list.k, list.relevant.size()); ++place) best += rank_weight(place);
  return best > 0 ? gain / best : undefined;
}

/// The share of the relevant items that is in the list; of k, where more than k are relevant.
inline double recall(const judged_list& list) {
  const std::size_t most = std::min(list.k, list.relevant.size());
  return most > 0 ? static_cast<double>(list.n_hits()) / static_cast<double>(most) : undefined;
}

/// The share of the list that is relevant; undefined for an empty list, too.
inline double precision(const judged_list& list) {
  if (list.relevant.empty() || list.size() == 0) return undefined;
  return static_cast<double>(list.n_hits()) / static_cast<double>(list.size());
}

/// 1 / rank of the first hit, 0 without a hit. Its mean over users is the MRR.
inline double reciprocal_rank(const judged_list& list) {
  if (list.relevant.empty()) return undefined;
  for (std::size_t place = 0; place < list.size(); ++place)
    if (list.is_hit(place)) return 1 / static_cast<double>(place + 1);
  return 0;
}

/// 1 where the list has a hit, else 0. Its mean over users is the hit rate.
inline double has_hit(const judged_list& list) {
  if (list.relevant.empty()) return undefined;
  return list.n_hits() > 0 ? 1 : 0;
}

/// The errors of one user's predictions, summed up.
struct prediction_errors {
  double squares = 0, magnitudes = 0;
  std::size_t n_predicted = 0, n_asked = 0;

  /// A prediction that is not finite is none: it lowers the coverage and counts nowhere else.
  void add(double prediction, double rating) {
    ++n_asked;
    if (!std::isfinite(prediction)) return;
    ++n_predicted;
    squares += (prediction - rating) * (prediction - rating);
    magnitudes += std::abs(prediction - rating);
  }
};

/// What is measured, in the order of tables and files.
enum class metric { ndcg, recall, reciprocal_rank, hit, precision, rmse, mae, user_rmse, user_mae, coverage };
inline constexpr std::size_t n_metrics = 10;

struct metric_facts {
  const char* name;  ///< in JSON
  const char* title; ///< for people
  bool is_of_lists;  ///< of top-N lists, to be followed by "@k"; else of predictions
  bool is_better_low;
  bool is_root; ///< of a mean of squares
};

inline const metric_facts& facts_of(metric which) {
  static constexpr std::array<metric_facts, n_metrics> all{{
      {"ndcg", "nDCG", true, false, false},
      {"recall", "recall", true, false, false},
      {"mrr", "MRR", true, false, false},
      {"hit_rate", "hit rate", true, false, false},
      {"precision", "precision", true, false, false},
      {"rmse", "RMSE", false, true, true},
      {"mae", "MAE", false, true, false},
      {"user_rmse", "user RMSE", false, true, false},
      {"user_mae", "user MAE", false, true, false},
      {"coverage", "coverage", false, false, false},
  }};
  return all[static_cast<std::size_t>(which)];
}

inline std::string title_of(metric which, std::size_t k) {
  const metric_facts& facts = facts_of(which);
  return facts.is_of_lists ? facts.title + ("@" + std::to_string(k)) : facts.title;
}

/// What one user, or many, adds to a mean.
struct share {
  double sum = 0, weight = 0;
  friend bool operator==(const share&, const share&) = default;
};

/// All that an evaluation keeps of a user.
using user_scores = std::array<share, n_metrics>;
using metric_values = std::array<double, n_metrics>;

/// Nothing where the value is undefined: such a user does not count.
inline share whole_share(double value) { return std::isnan(value) ? share{} : share{value, 1}; }

/// The global RMSE and MAE weigh every prediction alike, those over users every user alike.
inline user_scores scores_of(const judged_list& list, const prediction_errors& errors) {
  const auto n = static_cast<double>(errors.n_predicted), asked = static_cast<double>(errors.n_asked);
  const bool has_any = errors.n_predicted > 0;
  return {whole_share(ndcg(list)),
          whole_share(recall(list)),
          whole_share(reciprocal_rank(list)),
          whole_share(has_hit(list)),
          whole_share(precision(list)),
          share{errors.squares, n},
          share{errors.magnitudes, n},
          has_any ? share{std::sqrt(errors.squares / n), 1} : share{},
          has_any ? share{errors.magnitudes / n, 1} : share{},
          share{n, asked}};
}

/// Adds up users, in the order in which they come.
class score_sum {
 public:
  void add(const user_scores& one) {
    for (std::size_t m = 0; m < n_metrics; ++m) {
      all_[m].sum += one[m].sum;
      all_[m].weight += one[m].weight;
    }
  }

  /// NaN where no user counted.
  metric_values values() const {
    metric_values made;
    for (std::size_t m = 0; m < n_metrics; ++m) {
      const double mean = all_[m].weight > 0 ? all_[m].sum / all_[m].weight : undefined;
      made[m] = facts_of(static_cast<metric>(m)).is_root ? std::sqrt(mean) : mean;
    }
    return made;
  }

 private:
  user_scores all_;
};

inline metric_values values_of(std::span<const user_scores> users) {
  score_sum sum;
  for (const user_scores& one : users) sum.add(one);
  return sum.values();
}

} // namespace recsys
