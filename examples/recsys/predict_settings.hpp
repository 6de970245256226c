// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include <recsys/settings.hpp>

// What batch_predict was asked to do, and the command line that says so.

namespace recsys {

struct predict_settings {
  settings common{.model = {.kind = algorithm::item_knn}, .batch = {.out = "predictions.csv"}};
  std::string pairs; ///< empty: ratings are held back from the training and predicted
};

/// What the predictions depend on. Blocks: while the input files are read. Throws: std::invalid_argument.
inline job_identity identity_of(const predict_settings& asked) {
  job_identity job = common_identity("batch_predict", asked.common);
  if (!asked.pairs.empty())
    job.input("pairs", asked.pairs);
  else
    job.setting("pairs", "held back");
  return job;
}

inline void add_options(CLI::App& app, predict_settings& to) {
  prepare_help(app);
  add_data_options(app, to.common);
  app.add_option(
         "--pairs", to.pairs,
         "What to predict: CSV with the header user,item. Without it, one rating in ten is drawn, held back from "
         "the training and predicted")
      ->type_name("FILE");
  add_bad_row_option(app, to.common, "--ratings or --pairs");
  std::map<std::string, algorithm> allowed;
  for (const auto& [name, kind] : algorithm_names())
    if (predicts(kind)) allowed.emplace(name, kind);
  add_algorithm_option(app, to.common.model, allowed);
  add_als_options(app, to.common.model.als);
  add_knn_options(app, to.common.model.knn);
  app.add_option("--seed", to.common.seed,
                 "Seed of the generated data, of the ratings that are held back and of the model's first state")
      ->type_name("N");
  add_batch_options(app, to.common.batch,
                    "The predictions as CSV in the order of the pairs: user,item,prediction; the last field is empty "
                    "where there is none");
  add_run_options(app, to.common, "pairs are predicted");
}

/// Throws: std::invalid_argument where options contradict each other.
inline void check_settings(const predict_settings& asked) {
  check_settings(asked.common);
  keep_apart(asked.common, "--pairs", asked.pairs);
}

} // namespace recsys
