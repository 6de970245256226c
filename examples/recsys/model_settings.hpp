// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include <recsys/job_identity.hpp>
#include <recsys/number_text.hpp>
#include <recsys/recommender.hpp>

// Which model a program trains: its command line, what an output depends on, and a few words for a summary.

namespace recsys {

/// allowed: the algorithms that make sense for the program, by name.
inline void add_algorithm_option(CLI::App& app, model_options& to, const std::map<std::string, algorithm>& allowed) {
  std::string names;
  for (const auto& [name, kind] : allowed) names += (names.empty() ? "" : ", ") + name;
  app.add_option("--algorithm", to.kind, "What to train: " + names)
      ->transform(CLI::CheckedTransformer(allowed, CLI::ignore_case).description(""))
      ->type_name("NAME")
      ->default_str(name_of(to.kind));
}

inline void add_als_options(CLI::App& app, als_options& to) {
  app.add_option("--features", to.features, "ALS: features of a user or item")
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
  app.add_option("--epochs", to.epochs, "ALS: passes over the data in training")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
}

inline void add_knn_options(CLI::App& app, item_knn_options& to) {
  app.add_option("--k", to.k, "Item k-NN: most neighbours that a score is made from")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
  app.add_option("--min-nbrs", to.min_nbrs, "Item k-NN: fewer neighbours than these give no score")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
  app.add_option("--min-sim", to.min_similarity, "Item k-NN: the least similarity of neighbours, above 0")
      ->check(CLI::Range(1e-300, 1.0))
      ->type_name("X");
  app.add_option("--save-nbrs", to.save_nbrs, "Item k-NN: most neighbours kept of each item; 0 keeps all")
      ->check(CLI::Range(0, 1'000'000'000))
      ->type_name("N");
}

/// What scores depend on besides data and seed; options that only another algorithm looks at are left out.
inline void add_to_identity(job_identity& job, const model_options& asked) {
  job.setting("algorithm", name_of(asked.kind));
  if (asked.kind == algorithm::item_knn)
    job.setting("k", asked.knn.k)
        .setting("min_nbrs", asked.knn.min_nbrs)
        .setting("min_similarity", asked.knn.min_similarity)
        .setting("save_nbrs", asked.knn.save_nbrs);
  if (asked.kind == algorithm::als_implicit || asked.kind == algorithm::als_explicit)
    job.setting("features", asked.als.features)
        .setting("epochs", asked.als.epochs)
        .setting("regularisation", asked.als.regularisation);
  if (asked.kind == algorithm::als_implicit) job.setting("weight", asked.als.weight);
  if (asked.kind == algorithm::als_explicit) job.setting("damping", asked.als.damping);
}

/// "item k-NN, 20 neighbours", say.
inline std::string description_of(const model_options& asked) {
  const auto some = [](std::size_t n, const std::string& what) {
    return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
  };
  switch (asked.kind) {
  case algorithm::popular:
    return "popularity";
  case algorithm::item_knn:
    return "item k-NN, " + some(asked.knn.k, "neighbour");
  case algorithm::als_implicit:
  case algorithm::als_explicit:
    break;
  }
  return std::string(asked.kind == algorithm::als_explicit ? "explicit" : "implicit") + " ALS, " +
         some(static_cast<std::size_t>(asked.als.features), "feature") + ", " +
         some(static_cast<std::size_t>(asked.als.epochs), "epoch");
}

} // namespace recsys
