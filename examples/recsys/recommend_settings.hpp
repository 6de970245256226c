// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include <CLI/CLI.hpp>

#include <recsys/settings.hpp>

// What batch_recommend was asked to do, and the command line that says so.

namespace recsys {

struct recommend_settings {
  settings common{.batch = {.out = "recommendations.csv"}};
  std::size_t n = 100;
  bool exclude_seen = true;
  std::string candidates, user_list; ///< files of ids; empty: all items, all users
};

/// What the lists depend on. Blocks: while the input files are read. Throws: std::invalid_argument.
inline job_identity identity_of(const recommend_settings& asked) {
  job_identity job = common_identity("batch_recommend", asked.common);
  if (!asked.candidates.empty()) job.input("candidates", asked.candidates);
  if (!asked.user_list.empty()) job.input("user_list", asked.user_list);
  return job.setting("n", asked.n).setting("exclude_seen", asked.exclude_seen);
}

inline void add_list_options(CLI::App& app, recommend_settings& to) {
  app.add_option("--n", to.n, "Length of the lists")->check(CLI::Range(1, 1'000'000'000))->type_name("N");
  app.add_flag("--exclude-seen,!--include-seen", to.exclude_seen,
               "Leave out what the user has rated (the default), or not")
      ->default_str("");
  app.add_option("--candidates", to.candidates, "Lists hold only these items: an id in each line")->type_name("FILE");
  app.add_option("--user-list", to.user_list, "Lists of these users only, in this order: an id in each line")
      ->type_name("FILE");
}

inline void add_options(CLI::App& app, recommend_settings& to) {
  prepare_help(app);
  add_data_options(app, to.common);
  add_bad_row_option(app, to.common, "--ratings, --candidates or --user-list");
  add_algorithm_option(app, to.common.model, algorithm_names());
  add_als_options(app, to.common.model.als);
  add_knn_options(app, to.common.model.knn);
  app.add_option("--seed", to.common.seed, "Seed of the generated data and of the model's first state")->type_name("N");
  add_list_options(app, to);
  add_batch_options(app, to.common.batch, "The lists as CSV: user,rank,item,score");
  add_run_options(app, to.common, "users are scored");
}

/// Throws: std::invalid_argument where options contradict each other.
inline void check_settings(const recommend_settings& asked) {
  check_settings(asked.common);
  keep_apart(asked.common, "--candidates", asked.candidates);
  keep_apart(asked.common, "--user-list", asked.user_list);
}

} // namespace recsys
