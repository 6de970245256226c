// lk-parallel | SPDX-License-Identifier: MIT
#include "coverage/task.hpp"

#include <cstdlib>

// check.cmake reads the numbers that gcov gives for the marked lines.

int squared_in_a_worker(int x) {
  if (x == 7) std::exit(3); // runs 100 times
  return x * x;             // runs 99 times
}

int never_called(int x) {
  return x; // never runs
}
