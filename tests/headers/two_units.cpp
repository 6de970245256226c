// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel.hpp>

#include <cstdio>

// Two translation units include the whole library and link into one program, and both see the same configuration: what
// is process-wide exists once.

const lk::parallel::ParallelConfig* config_of_the_other_unit();

int main() {
  lk::parallel::initialize({.processes = 2, .threads = 1});
  if (&lk::parallel::get_parallel_config() == config_of_the_other_unit()) return 0;
  std::fputs("two units, two configurations\n", stderr);
  return 1;
}
