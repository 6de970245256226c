// lk-parallel | SPDX-License-Identifier: MIT
#include <ranges>
#include <string>

#include <lk/parallel/invoker.hpp>

#include "coverage/task.hpp"

// Runs a hundred tasks in two worker processes; one of them calls exit(). Everything is built for coverage.

int main(int n_words, char**) {
  const auto task = [](const std::string&, int x) { return squared_in_a_worker(x); };
  lk::parallel::invoker workers{std::string("model"), task, {.n_jobs = 2}};
  int n_results = 0;
  for (const auto& result : workers.map_outcomes(std::views::iota(0, 100))) n_results += result ? 1 : 0;
  return n_words > 1 ? never_called(n_words) : n_results - 99;
}
