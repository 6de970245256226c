// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include <lk/parallel.hpp>

#include <recsys/batch_options.hpp>
#include <recsys/generator.hpp>
#include <recsys/job_identity.hpp>
#include <recsys/recommender.hpp>

// What batch_recommend was asked to do, and the command line that says so.

namespace recsys {

struct settings {
  std::string ratings; ///< empty: the data are generated
  data_shape shape;
  std::string save_ratings; ///< empty: the generated data are not kept
  model_options model;
  std::size_t n = 100;
  std::optional<int> jobs;
  lk::parallel::execution where = lk::parallel::execution::automatic;
  std::uint64_t seed = 1;
  batch_options batch{.out = "recommendations.csv"};
};

inline const std::map<std::string, lk::parallel::execution>& execution_names() {
  static const std::map<std::string, lk::parallel::execution> names{
      {"automatic", lk::parallel::execution::automatic},
      {"sequential", lk::parallel::execution::sequential},
      {"threads", lk::parallel::execution::threads},
      {"processes", lk::parallel::execution::processes},
  };
  return names;
}

/// What the lists depend on. Blocks: while the ratings file is read. Throws: std::invalid_argument.
inline job_identity identity_of(const settings& asked) {
  job_identity job("batch_recommend", asked.batch.part);
  if (!asked.ratings.empty())
    job.input("ratings", asked.ratings);
  else
    job.setting("users", asked.shape.users)
        .setting("items", asked.shape.items)
        .setting("n_ratings", asked.shape.ratings);
  job.setting("algorithm", "implicit ALS").setting("features", asked.model.als.features).setting("epochs", asked.model.als.epochs);
  job.setting("regularisation", asked.model.als.regularisation).setting("weight", asked.model.als.weight);
  return job.setting("n", asked.n).setting("seed", asked.seed);
}

inline void add_data_options(CLI::App& app, settings& to) {
  CLI::Option* file = app.add_option("--ratings", to.ratings,
                                     "MovieLens ratings: ratings.csv, ratings.dat or u.data, told apart by content; "
                                     "without it, data of the shape of MovieLens-1M are generated");
  file->type_name("FILE");
  for (CLI::Option* generated : {
           app.add_option("--users", to.shape.users, "Users to generate")->type_name("N"),
           app.add_option("--items", to.shape.items, "Items to generate")->type_name("N"),
           app.add_option("--n-ratings", to.shape.ratings, "Ratings to generate, at least 20 a user")->type_name("N"),
           app.add_option("--save-ratings", to.save_ratings, "Write the generated ratings as ratings.csv")
               ->type_name("FILE"),
       })
    generated->excludes(file);
}

inline void add_model_options(CLI::App& app, settings& to) {
  app.add_option("--features", to.model.als.features, "Features of a user or item")
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
  app.add_option("--epochs", to.model.als.epochs, "Passes over the data in training")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
  app.add_option("--n", to.n, "Length of the lists. A user's list holds only items that this user has not rated")
      ->check(CLI::Range(1, 1'000'000'000))
      ->type_name("N");
  app.add_option("--seed", to.seed, "Seed of the generated data and of the model's first state")->type_name("N");
}

inline void add_run_options(CLI::App& app, settings& to) {
  app.add_option("--jobs", to.jobs,
                 "Workers that score (LK_NUM_PROCS); 1 scores in this process unless --execution says processes")
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
  app.add_option("--execution", to.where, "Where users are scored: automatic, sequential, threads or processes")
      ->transform(CLI::CheckedTransformer(execution_names(), CLI::ignore_case).description(""))
      ->type_name("WHERE")
      ->default_str("automatic");
  add_batch_options(app, to.batch, "The lists as CSV: user,rank,item,score");
}

inline void add_options(CLI::App& app, settings& to) {
  app.option_defaults()->always_capture_default();
  add_data_options(app, to);
  add_model_options(app, to);
  add_run_options(app, to);
  app.footer("Numbers of threads: LK_NUM_THREADS trains, LK_NUM_CHILD_THREADS is each worker's.\n" +
             std::string(exit_code_text));
}

/// A file's role that another file already has.
inline bool same_file(const std::string& a, const std::string& b) {
  std::error_code ignored;
  return !a.empty() && !b.empty() && (a == b || std::filesystem::equivalent(a, b, ignored));
}

/// Throws: std::invalid_argument where options contradict each other.
inline void check_settings(const settings& asked) {
  if (asked.ratings.empty()) check_shape(asked.shape);
  const std::string out = asked.batch.file();
  if (same_file(out, asked.ratings)) throw std::invalid_argument("--out would replace the file of --ratings");
  if (same_file(out, asked.save_ratings)) throw std::invalid_argument("--out and --save-ratings are one file");
}

} // namespace recsys
