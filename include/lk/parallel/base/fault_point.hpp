// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

// Named places in the code where a test may make something go wrong: a process die, a call fail. Empty unless the
// whole program is built with LK_PARALLEL_FAULT_POINTS, as the fault tests are (tests/faults).

#ifdef LK_PARALLEL_FAULT_POINTS

namespace lk::parallel::base {

/// What a program under test does at a fault point; true: take the action that the point offers, a failing call most
/// often. Set before the first invoker is made. Fork: inherited by zygote and workers, and called there, too.
inline bool (*at_fault_point)(const char* name) noexcept = nullptr;

} // namespace lk::parallel::base

/// LK_PARALLEL_FAULT_POINT("name") or LK_PARALLEL_FAULT_POINT("name", return -1): a place, and what may happen there.
#define LK_PARALLEL_FAULT_POINT(name, ...)                                                                             \
  do {                                                                                                                 \
    if (::lk::parallel::base::at_fault_point && ::lk::parallel::base::at_fault_point(name)) {                          \
      __VA_ARGS__;                                                                                                     \
    }                                                                                                                  \
  } while (false)

#else
#define LK_PARALLEL_FAULT_POINT(name, ...) static_cast<void>(0)
#endif
