// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <recsys/parameter_grid.hpp>
#include <recsys/recommender.hpp>

// Which algorithms and parameters a grid may name, and what they mean to the recommender.

namespace recsys {

inline std::vector<algorithm_facts> known_algorithms() {
  const parameter_facts features{"features", 1, 4096, true}, epochs{"epochs", 1, 1'000'000, true};
  const parameter_facts regularisation{"regularisation", 1e-6, 1e6, false}, seed{"seed", 0, 1e15, true};
  return {
      {"popular", {}},
      {"item-knn",
       {{"k", 1, 1e6, true}, {"min-nbrs", 1, 1e6, true}, {"min-sim", 1e-12, 1, false}, {"save-nbrs", 0, 1e6, true}}},
      {"als-implicit", {features, epochs, regularisation, {"weight", 0, 1e6, false}, seed}},
      {"als-explicit", {features, epochs, regularisation, {"damping", 0, 1e6, false}, seed}},
  };
}

/// What the choice leaves open has the defaults of model_options, and this seed.
inline model_options options_of(const model_choice& choice, std::uint64_t seed) {
  model_options made;
  made.kind = algorithm_names().at(choice.algorithm);
  made.als.features = static_cast<int>(choice.get("features", made.als.features));
  made.als.epochs = static_cast<int>(choice.get("epochs", made.als.epochs));
  made.als.regularisation = static_cast<float>(choice.get("regularisation", double{made.als.regularisation}));
  made.als.weight = static_cast<float>(choice.get("weight", double{made.als.weight}));
  made.als.damping = static_cast<float>(choice.get("damping", double{made.als.damping}));
  made.als.seed = choice.find("seed") ? static_cast<std::uint64_t>(*choice.find("seed")) : seed;
  const auto count = [&](const char* name, std::size_t otherwise) {
    return static_cast<std::size_t>(choice.get(name, static_cast<double>(otherwise)));
  };
  made.knn.k = count("k", made.knn.k);
  made.knn.min_nbrs = count("min-nbrs", made.knn.min_nbrs);
  made.knn.save_nbrs = count("save-nbrs", made.knn.save_nbrs);
  made.knn.min_similarity = choice.get("min-sim", made.knn.min_similarity);
  return made;
}

} // namespace recsys
