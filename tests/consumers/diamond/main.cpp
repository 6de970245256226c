// lk-parallel | SPDX-License-Identifier: MIT
#include <cstdio>
#include <vector>

#include <lk/parallel/initialize.hpp>

#include "parts.hpp"
#include <scores.hpp>

// All parts see the knobs that one of them has set, so the process has them once.

int main() {
  start();
  const int here = lk::parallel::get_parallel_config().processes;
  const std::vector<int> scores = scores_of({1, 2, 3});
  std::printf("%d, %d and %d processes, scores %d %d %d\n", here, processes_known(), scoring_processes(), scores[0],
              scores[1], scores[2]);
  return here == 3 && processes_known() == 3 && scoring_processes() == 3 && scores == std::vector{1, 4, 9} ? 0 : 1;
}
