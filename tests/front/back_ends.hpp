// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <ostream>
#include <vector>

#include <lk/parallel/invoker.hpp>

// The conformance suite: one body runs over every back end and several numbers of workers.

namespace lk::parallel::testing {

struct back_end {
  execution where;
  int n_jobs;

  invoker_options options() const { return with({}); }
  invoker_options with(invoker_options more) const {
    more.where = where;
    more.n_jobs = n_jobs;
    return more;
  }
  friend std::ostream& operator<<(std::ostream& out, const back_end& which) {
    constexpr const char* names[] = {"automatic", "sequential", "threads", "processes"};
    return out << names[static_cast<int>(which.where)] << '(' << which.n_jobs << ')';
  }
};

inline std::vector<back_end> all_back_ends() {
  return {{execution::sequential, 1}, {execution::threads, 1},   {execution::threads, 4},
          {execution::processes, 1},  {execution::processes, 2}, {execution::processes, 4}};
}

} // namespace lk::parallel::testing

/// Inside a TEST_CASE: `which` is each of the back ends in turn.
#define FOR_EVERY_BACK_END(which)                                                                                      \
  const auto which = GENERATE(from_range(lk::parallel::testing::all_back_ends()));                                     \
  CAPTURE(which)
