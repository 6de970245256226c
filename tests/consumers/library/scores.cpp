// lk-parallel | SPDX-License-Identifier: MIT
#include "scores.hpp"

#include <lk/parallel.hpp>

std::vector<int> scores_of(const std::vector<int>& users) {
  const int model = 1;
  lk::parallel::invoker inv{model, [](int factor, int user) { return factor * user * user; }};
  std::vector<int> found;
  for (const int score : inv.map(users)) found.push_back(score);
  return found;
}

int scoring_processes() { return lk::parallel::get_parallel_config().processes; }
