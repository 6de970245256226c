// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <string>

#include <nlohmann/json.hpp>

#include <lk/parallel/base/version.hpp>

#include <recsys/evaluation_results.hpp>

// An evaluation as JSON, for programs. Times are in "seconds" of each model and in nothing else, so that the rest is
// the same on every run.

namespace recsys {

using json = nlohmann::ordered_json;

/// null where a number is undefined.
inline json number_or_null(double number) { return std::isfinite(number) ? json(number) : json(nullptr); }

inline std::string version_text() {
  const lk::parallel::version_number& v = lk::parallel::version;
  return std::to_string(v.major) + "." + std::to_string(v.minor) + "." + std::to_string(v.patch);
}

inline const char* name_of(standing one) {
  return one == standing::best     ? "best"
         : one == standing::level  ? "level"
         : one == standing::behind ? "behind"
                                   : "none";
}

inline json parameters_of(const model_choice& model) {
  json parameters = json::object();
  for (const auto& [name, value] : model.parameters) parameters[name] = value;
  return parameters;
}

inline json seconds_of(const model_times& times) {
  return {{"training", times.training},
          {"starting", times.starting},
          {"scoring", times.scoring},
          {"stopping", times.stopping},
          {"intervals", times.intervals}};
}

inline json settings_of(const evaluation& from) {
  return {
      {"holdout",
       {{"amount", from.holdout.amount},
        {"min_ratings", from.holdout.min_ratings},
        {"seed", from.holdout.seed},
        {"training_ratings", from.n_training},
        {"test_ratings", from.n_test},
        {"tested_users", from.n_tested_users}}},
      {"k", from.options.k},
      {"min_relevant", from.options.min_relevant},
      {"intervals",
       {{"method", "percentile bootstrap over users"},
        {"confidence", from.options.confidence},
        {"replicates", from.options.n_replicates},
        {"seed", from.options.seed}}},
  };
}

/// The metrics of every model, in the order of the models.
inline json metrics_of(const evaluation& from) {
  json all(from.models.size(), json::object());
  for (std::size_t m = 0; m < n_metrics; ++m) {
    const auto which = static_cast<metric>(m);
    const std::vector<standing> standings = standings_of(from, which);
    for (std::size_t row = 0; row < from.models.size(); ++row) {
      const model_result& model = from.models[row];
      all[row][facts_of(which).name] = {{"value", number_or_null(model.value(which))},
                                        {"low", number_or_null(model.range(which).low)},
                                        {"high", number_or_null(model.range(which).high)},
                                        {"standing", name_of(standings[row])}};
    }
  }
  return all;
}

inline json to_json(const evaluation& from) {
  json made{{"program", "evaluate"},
            {"version", version_text()},
            {"complete", from.is_complete()},
            {"data",
             {{"source", from.data},
              {"ratings", from.n_ratings},
              {"users", from.n_users},
              {"items", from.n_items},
              {"repeated_ratings", from.n_repeated},
              {"bad_rows", from.n_bad_rows}}}};
  made.update(settings_of(from));
  json metrics = metrics_of(from);
  made["models"] = json::array();
  for (std::size_t row = 0; row < from.models.size(); ++row) {
    const model_result& model = from.models[row];
    json one{{"label", label_of(model.model)},
             {"algorithm", model.model.algorithm},
             {"parameters", parameters_of(model.model)},
             {"status", model.has_failed() ? "failed" : "done"}};
    if (model.has_failed())
      one["error"] = model.failure;
    else
      one["metrics"] = std::move(metrics[row]);
    one["seconds"] = seconds_of(model.times);
    made["models"].push_back(std::move(one));
  }
  made["not_evaluated"] = json::array();
  for (std::size_t rest = from.models.size(); rest < from.asked.size(); ++rest)
    made["not_evaluated"].push_back(label_of(from.asked[rest]));
  return made;
}

/// Bytes that are no UTF-8, as in a file's name, become U+FFFD.
inline std::string json_text(const evaluation& from) {
  return to_json(from).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace recsys
