// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <lk/parallel/invoker.hpp>

#include <recsys/batch_job.hpp>
#include <recsys/batch_steps.hpp>
#include <recsys/number_text.hpp>
#include <recsys/pairs_reader.hpp>
#include <recsys/random_source.hpp>
#include <recsys/scorer.hpp>

// Predictions for pairs of a user and an item, made by the workers of an invoker and written in the order of the pairs.

namespace recsys {

/// The model of the workers: what predicts and what is to be predicted. Pairs need not travel.
struct prediction_task {
  recommender from;
  std::vector<user_item> pairs;
};

/// Pairs of one user that follow each other: a task. Sorted pairs make one of each user.
struct pair_run {
  std::size_t begin = 0, end = 0;
};

inline std::vector<pair_run> runs_of(const std::vector<user_item>& pairs) {
  constexpr std::size_t most = 4096; // what is lost with a task stays small, whatever the file
  std::vector<pair_run> runs;
  for (std::size_t at = 0; at < pairs.size(); ++at) {
    if (runs.empty() || pairs[at].user != pairs[at - 1].user || at - runs.back().begin == most)
      runs.push_back({at, at});
    runs.back().end = at + 1;
  }
  return runs;
}

/// Draws one rating in ten, and takes them out of the ratings. Both keep their order.
inline std::vector<user_item> hold_back(std::vector<rating>& ratings, std::uint64_t seed) {
  random_source random(seed);
  std::vector<user_item> held;
  std::erase_if(ratings, [&](const rating& one) {
    const bool draw = random.below(10) == 0;
    if (draw) held.push_back({one.user, one.item});
    return draw;
  });
  return held;
}

/// The operation that is applied to every run of pairs.
class run_predictor {
 public:
  /// A number for each pair; NaN where there is no prediction, as for users and items that are not known.
  std::vector<double> operator()(const prediction_task& what, pair_run run) {
    std::vector<double> predictions(run.end - run.begin, no_score);
    const auto user = number_of(what.from.data.user_ids, what.pairs[run.begin].user);
    if (!user) return predictions;
    items_.clear();
    places_.clear();
    for (std::size_t at = run.begin; at < run.end; ++at)
      if (const auto item = number_of(what.from.data.item_ids, what.pairs[at].item)) {
        items_.push_back(*item);
        places_.push_back(at - run.begin);
      }
    const std::vector<double> known = scorer_.predict(what.from, *user, items_);
    for (std::size_t at = 0; at < known.size(); ++at) predictions[places_[at]] = known[at];
    return predictions;
  }

 private:
  scorer scorer_;
  std::vector<std::uint32_t> items_;
  std::vector<std::size_t> places_;
};

/// Seven decimals tell all that there is to know of a prediction.
inline void append_prediction(std::string& to, double prediction) {
  if (std::isnan(prediction)) return;
  char text[400];
  to.append(text, std::to_chars(text, text + sizeof text, prediction, std::chars_format::fixed, 7).ptr);
}

struct prediction_result {
  std::size_t n_none = 0;              ///< pairs of this run without a prediction
  std::size_t n_pairs = 0;             ///< pairs of this run
  lk::parallel::invoker_stats workers; ///< taken when the last prediction was there, before the workers left
};

/// Writes the predictions that are left. Throws: as batch_job::run.
inline prediction_result predict_pairs(const prediction_task& what, const std::vector<pair_run>& runs,
                                       const settings& asked, const std::stop_token& stop, batch_job& job) {
  lk::parallel::invoker_options options = invoker_options_of(asked, stop);
  options.first_task = job.left_of(runs.size()).begin;
  options.progress = job.progress("predicting", runs.size(), "tasks");
  lk::parallel::invoker inv{what, run_predictor(), options};
  prediction_result result;
  job.run(inv, runs, [&](std::size_t task, const std::vector<double>& predictions, std::string& to) {
    for (std::size_t at = 0; at < predictions.size(); ++at) {
      const user_item& pair = what.pairs[runs[task].begin + at];
      append_number(to, pair.user) += ',';
      append_number(to, pair.item) += ',';
      append_prediction(to, predictions[at]);
      to += '\n';
      if (std::isnan(predictions[at])) ++result.n_none;
    }
    result.n_pairs += predictions.size();
  });
  options.progress->finish();
  result.workers = inv.stats();
  return result;
}

} // namespace recsys
