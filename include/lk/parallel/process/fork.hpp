// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <utility>

// The one place where the library forks. Whatever a child does, it leaves by _exit: destructors, atexit handlers and
// the host's statics belong to the host.

namespace lk::parallel::process {

/// Exit statuses of children that end on the library's own decision.
inline constexpr int exit_done = 0;
inline constexpr int exit_escaped_exception = 70; ///< EX_SOFTWARE of sysexits.h
inline constexpr int exit_init_failed = 71;

/// As fork(2). Fork: the child may have been copied while another thread of this process held a lock.
inline pid_t fork_process() noexcept { return ::fork(); }

/// The rest of a child's life: runs child_main and leaves with what it returns.
template <class ChildMain> [[noreturn]] void live_as_child(ChildMain&& child_main) noexcept {
  try {
    ::_exit(std::forward<ChildMain>(child_main)());
  } catch (...) {
    ::_exit(exit_escaped_exception);
  }
}

/// From here on, exit() and quick_exit() called by anybody in this process end it at once, before any handler or
/// destructor that the host registered earlier (on_exit(3): handlers run in the reverse order of their registration).
inline void leave_only_by_underscore_exit() {
  ::on_exit([](int status, void*) { ::_exit(status); }, nullptr);
  ::at_quick_exit([] { ::_exit(exit_done); });
}

} // namespace lk::parallel::process
