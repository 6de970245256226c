// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include <recsys/evaluation_results.hpp>
#include <recsys/holdout.hpp>
#include <recsys/model_choices.hpp>
#include <recsys/settings.hpp>

// What evaluate was asked to do, and the command line that says so.

namespace recsys {

struct evaluate_settings {
  settings common; ///< of which data, jobs, place and seed are used
  std::vector<std::string> algorithms;
  std::vector<std::string> grid;
  holdout_options holdout;
  evaluation_options options;
  std::string json, svg; ///< empty: not written

  evaluate_settings() {
    common.shape = {1500, 1700, 150'000};
    for (const algorithm_facts& one : known_algorithms()) algorithms.push_back(one.name);
  }
};

inline void add_choice_options(CLI::App& app, evaluate_settings& to) {
  app.add_option("--algorithms", to.algorithms, "What to evaluate, separated by commas")
      ->delimiter(',')
      ->type_name("NAME,...");
  app.add_option("--grid", to.grid,
                 "Values of a parameter: features=8,16 for every algorithm that has it, or als-implicit.features=8,16; "
                 "once for each parameter, and every combination is a model. Without any: features=8,16,32 weight=1,40 "
                 "k=10,20,40")
      ->type_name("PARAMETER=X,...")
      ->default_str("")
      ->allow_extra_args(false);
}

inline void add_method_options(CLI::App& app, evaluate_settings& to) {
  app.add_option("--holdout", to.holdout.amount,
                 "Test ratings of each user: below 1 a share of the user's ratings, from 1 on a number of them")
      ->type_name("X");
  app.add_option("--min-ratings", to.holdout.min_ratings, "Users with fewer ratings are trained on and not tested")
      ->type_name("N");
  app.add_option("--k", to.options.k, "Length of the top-N lists")->check(CLI::Range(1, 1'000'000))->type_name("N");
  app.add_option("--min-relevant", to.options.min_relevant,
                 "Test ratings from here on make an item relevant for a list; 0: all of them")
      ->type_name("STARS");
  app.add_option("--replicates", to.options.n_replicates, "Bootstrap replicates of the users for the intervals")
      ->check(CLI::Range(1, 100'000))
      ->type_name("N");
  app.add_option("--confidence", to.options.confidence, "What share of the replicates an interval holds")
      ->type_name("X");
  app.add_option("--seed", to.common.seed,
                 "Seed of the generated data, the holdout, the first state of models, and the bootstrap")
      ->type_name("N");
}

inline void add_options(CLI::App& app, evaluate_settings& to) {
  prepare_help(app);
  add_data_options(app, to.common);
  add_bad_row_option(app, to.common, "ratings");
  add_choice_options(app, to);
  add_method_options(app, to);
  add_run_options(app, to.common, "users are judged");
  app.add_option("--json", to.json, "Write all results as JSON")->type_name("FILE");
  app.add_option("--svg", to.svg, "Draw all results with their intervals")->type_name("FILE");

  std::string about = "Parameters:\n";
  for (const algorithm_facts& one : known_algorithms()) {
    std::vector<std::string> names;
    for (const parameter_facts& parameter : one.parameters) names.push_back(parameter.name);
    about += "  " + one.name + ": " + (names.empty() ? "none" : listed(names)) + "\n";
  }
  app.footer(about + "Numbers of threads: LK_NUM_THREADS trains, LK_NUM_CHILD_THREADS is each worker's.\n"
                     "Exit codes: 0 done, 1 a model or the program failed, 2 options or ratings not usable,\n"
                     "130 interrupted (Ctrl-C): what is finished is written and marked as incomplete.");
}

/// What is compared where the grid says nothing: the words that concern one of the algorithms.
inline std::vector<std::string> default_grid(const std::vector<std::string>& algorithms) {
  const std::vector<algorithm_facts> known = known_algorithms();
  std::vector<std::string> words;
  for (const char* word : {"features=8,16,32", "weight=1,40", "k=10,20,40"})
    if (std::ranges::any_of(algorithms, [&](const std::string& name) {
          return find_algorithm(name, known).find(parse_axis(word).parameter) != nullptr;
        }))
      words.push_back(word);
  return words;
}

/// The models that are asked for. Throws: std::invalid_argument.
inline std::vector<model_choice> choices_of(const evaluate_settings& asked) {
  return expand_grid(asked.algorithms, asked.grid.empty() ? default_grid(asked.algorithms) : asked.grid,
                     known_algorithms());
}

/// Throws: std::invalid_argument where options contradict each other or make no sense.
inline void check_settings(const evaluate_settings& asked) {
  const double held_out = asked.holdout.amount;
  if (!(held_out > 0 && held_out <= 1e9) || (held_out >= 1 && held_out != std::floor(held_out)))
    throw std::invalid_argument("--holdout is a share above 0 and below 1, or a whole number from 1 to 1000000000");
  if (!(asked.options.confidence > 0 && asked.options.confidence < 1))
    throw std::invalid_argument("--confidence is above 0 and below 1");
  if (std::isnan(asked.options.min_relevant)) throw std::invalid_argument("--min-relevant is a number");
  if (asked.common.ratings.empty()) check_shape(asked.common.shape);
  const std::vector<std::pair<const char*, const std::string*>> files{{"--ratings", &asked.common.ratings},
                                                                      {"--save-ratings", &asked.common.save_ratings},
                                                                      {"--json", &asked.json},
                                                                      {"--svg", &asked.svg}};
  for (std::size_t a = 0; a < files.size(); ++a)
    for (std::size_t b = a + 1; b < files.size(); ++b)
      if (same_file(*files[a].second, *files[b].second))
        throw std::invalid_argument(std::string(files[a].first) + " and " + files[b].first + " are one file");
}

} // namespace recsys
