// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>

#include <lk/parallel/invoker_options.hpp>

#include <recsys/bad_rows.hpp>
#include <recsys/batch_options.hpp>
#include <recsys/generator.hpp>
#include <recsys/job_identity.hpp>
#include <recsys/model_settings.hpp>
#include <recsys/recommender.hpp>

// What the batch programs have in common: the data, the model, where the tasks run and where the output goes.

namespace recsys {

struct settings {
  std::string ratings = {}; ///< empty: the data are generated
  data_shape shape = {};
  std::string save_ratings = {}; ///< empty: the generated data are not kept
  on_bad_row bad_row_policy = on_bad_row::fail;
  model_options model = {};
  std::optional<int> jobs = {};
  lk::parallel::execution where = lk::parallel::execution::automatic;
  std::uint64_t seed = 1;
  batch_options batch = {};
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

/// The data and the model; a program adds what else its output depends on. Blocks: while the ratings file is read.
/// Throws: std::invalid_argument.
inline job_identity common_identity(const std::string& program, const settings& asked) {
  job_identity job(program, asked.batch.part);
  if (!asked.ratings.empty())
    job.input("ratings", asked.ratings);
  else
    job.setting("users", asked.shape.users)
        .setting("items", asked.shape.items)
        .setting("n_ratings", asked.shape.ratings);
  job.setting("seed", asked.seed);
  add_to_identity(job, asked.model);
  return job;
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

/// files: the input files to which the policy applies.
inline void add_bad_row_option(CLI::App& app, settings& to, const std::string& files) {
  app.add_option("--on-bad-row", to.bad_row_policy,
                 "What a row of " + files + " that cannot be used does: fail, or skip, which counts it")
      ->transform(CLI::CheckedTransformer(bad_row_names(), CLI::ignore_case).description(""))
      ->type_name("WHAT")
      ->default_str("fail");
}

/// tasks: what is done by the workers, as in "Where users are scored".
inline void add_run_options(CLI::App& app, settings& to, const std::string& tasks) {
  app.add_option("--jobs", to.jobs,
                 "Workers that score (LK_NUM_PROCS); 1 scores in this process unless --execution says processes")
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
  app.add_option("--execution", to.where, "Where " + tasks + ": automatic, sequential, threads or processes")
      ->transform(CLI::CheckedTransformer(execution_names(), CLI::ignore_case).description(""))
      ->type_name("WHERE")
      ->default_str("automatic");
  app.footer("Numbers of threads: LK_NUM_THREADS trains, LK_NUM_CHILD_THREADS is each worker's.\n" +
             std::string(exit_code_text));
}

/// Whether two names are one file, which need not be there.
inline bool same_file(const std::string& a, const std::string& b) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const auto place = [&](const std::string& name) {
    return fs::weakly_canonical(fs::absolute(name, ignored), ignored);
  };
  if (a.empty() || b.empty()) return false;
  return (place(a) == place(b) && !place(a).empty()) || fs::equivalent(a, b, ignored);
}

/// Throws: std::invalid_argument where the job would write into the file of an option.
inline void keep_apart(const settings& asked, const std::string& option, const std::string& file) {
  for (const char* of_the_job : {"", ".part", ".journal", ".manifest.json"})
    if (same_file(asked.batch.file() + of_the_job, file))
      throw std::invalid_argument("--out would replace the file of " + option + ", " + file);
  if (option != "--save-ratings" && same_file(asked.save_ratings, file))
    throw std::invalid_argument("--save-ratings would replace the file of " + option + ", " + file);
}

/// Throws: std::invalid_argument where options contradict each other.
inline void check_settings(const settings& asked) {
  if (asked.ratings.empty()) check_shape(asked.shape);
  if (asked.model.kind == algorithm::item_knn && asked.model.knn.min_nbrs > asked.model.knn.k)
    throw std::invalid_argument("--min-nbrs asks for more neighbours than --k allows");
  keep_apart(asked, "--ratings", asked.ratings);
  keep_apart(asked, "--save-ratings", asked.save_ratings);
}

} // namespace recsys
