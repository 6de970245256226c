// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <iostream>

#include <front/back_ends.hpp>

// The conformance suite among the faults: one body over every back end; the back end under test is on standard error
// when an expectation fails.

namespace lk::parallel::faults {

using testing::back_end;

inline void for_every_back_end(const std::function<void(const back_end& which)>& body) {
  for (const back_end& which : testing::all_back_ends()) {
    std::cerr << "back end: " << which << '\n';
    body(which);
  }
}

inline bool has_processes(const back_end& which) { return which.where == execution::processes; }

} // namespace lk::parallel::faults
