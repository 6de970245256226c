// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <recsys/bootstrap.hpp>
#include <recsys/holdout.hpp>
#include <recsys/metrics.hpp>
#include <recsys/parameter_grid.hpp>

// What an evaluation found, and which models are best. The table, the JSON file and the plot are made of this.

namespace recsys {

/// Where the time of one model went. Units: seconds.
struct model_times {
  double training = 0;
  double starting = 0;  ///< until the invoker was there
  double scoring = 0;   ///< the map over the users
  double stopping = 0;  ///< until the workers were gone
  double intervals = 0; ///< the bootstrap, with an invoker of its own
};

struct model_result {
  model_choice model;
  std::string failure;       ///< why there are no values; empty where all went well
  metric_values values = {}; ///< NaN: undefined
  std::array<interval, n_metrics> intervals = {};
  std::vector<metric_values> replicates =
      {}; ///< of the bootstrap, with the same users in the same place for each model
  model_times times = {};

  bool has_failed() const { return !failure.empty(); }
  double value(metric m) const { return values[static_cast<std::size_t>(m)]; }
  const interval& range(metric m) const { return intervals[static_cast<std::size_t>(m)]; }
};

struct evaluation_options {
  std::size_t k = 10;
  double min_relevant = 0; ///< a test rating from here on makes an item relevant
  std::size_t n_replicates = 1000;
  double confidence = 0.95;
  std::uint64_t seed = 1;
};

struct evaluation {
  std::string data; ///< where the ratings come from
  std::size_t n_ratings = 0, n_users = 0, n_items = 0;
  std::size_t n_repeated = 0, n_bad_rows = 0; ///< ratings and rows that do not count
  std::size_t n_training = 0, n_test = 0, n_tested_users = 0;
  holdout_options holdout;
  evaluation_options options;
  std::vector<model_choice> asked;
  std::vector<model_result>
      models; ///< the first of what was asked for; all of it unless the evaluation was interrupted

  bool is_complete() const { return models.size() == asked.size(); }
};

/// How a model stands in one metric.
enum class standing { none, best, level, behind };

inline bool is_better(metric m, double a, double b) { return facts_of(m).is_better_low ? a < b : a > b; }

/// The first of the best models, or nothing where no model has a value.
inline const model_result* best_model(const std::vector<model_result>& models, metric m) {
  const model_result* best = nullptr;
  for (const model_result& one : models)
    if (!one.has_failed() && !std::isnan(one.value(m)) &&
        (best == nullptr || is_better(m, one.value(m), best->value(m))))
      best = &one;
  return best;
}

/// True where the interval of the difference, over the same users in every replicate, holds 0.
inline bool is_level(const model_result& a, const model_result& b, metric m, double confidence) {
  std::vector<double> differences;
  for (std::size_t r = 0; r < std::min(a.replicates.size(), b.replicates.size()); ++r)
    differences.push_back(a.replicates[r][static_cast<std::size_t>(m)] - b.replicates[r][static_cast<std::size_t>(m)]);
  return percentile_interval(std::move(differences), confidence).contains(0);
}

/// One standing for each model.
inline std::vector<standing> standings_of(const evaluation& from, metric m) {
  const model_result* const best = best_model(from.models, m);
  std::vector<standing> all;
  for (const model_result& one : from.models) {
    if (one.has_failed() || std::isnan(one.value(m)))
      all.push_back(standing::none);
    else if (!is_better(m, best->value(m), one.value(m)))
      all.push_back(standing::best);
    else
      all.push_back(is_level(one, *best, m, from.options.confidence) ? standing::level : standing::behind);
  }
  return all;
}

} // namespace recsys
