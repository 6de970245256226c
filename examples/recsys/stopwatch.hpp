// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <utility>

// How long the steps of a job took.

namespace recsys {

class stopwatch {
 public:
  /// Units: seconds since the last lap or the start.
  double lap() {
    const auto now = clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  using clock = std::chrono::steady_clock;
  clock::time_point last_ = clock::now();
};

} // namespace recsys
