// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <string>
#include <utility>

#include <lk/parallel/base/fault_point.hpp>
#include <lk/parallel/process/coverage.hpp>

// The one place where the library forks. Whatever a child does, it leaves by _exit: destructors, atexit handlers and
// the host's statics belong to the host.

namespace lk::parallel::process {

/// Exit statuses of children that end on the library's own decision.
inline constexpr int exit_done = 0;
inline constexpr int exit_escaped_exception = 70; ///< EX_SOFTWARE of sysexits.h
inline constexpr int exit_init_failed = 71;

/// What the library's processes are called in the process list.
inline constexpr const char* worker_prefix = "lk-worker-";
inline std::string worker_name(int worker) { return worker_prefix + std::to_string(worker); }
/// Each zygote has a name of its own, which its children bear until they take theirs (prctl(2): 15 characters).
inline std::string zygote_name(pid_t zygote) { return "lk-zygote-" + std::to_string(zygote % 100000); }

inline void take_name(const std::string& name) noexcept { ::prctl(PR_SET_NAME, name.c_str()); }

/// As fork(2). Fork: the child may have been copied while another thread of this process held a lock.
inline pid_t fork_process() noexcept {
  LK_PARALLEL_FAULT_POINT("fork", return -1);
  return ::fork();
}

/// Ends this process without running anything that the host registered to run at its exit.
[[noreturn]] inline void leave(int status) noexcept {
  write_coverage();
  ::_exit(status);
}

/// The rest of a child's life: runs child_main and leaves with what it returns.
template <class ChildMain> [[noreturn]] void live_as_child(ChildMain&& child_main) noexcept {
  forget_coverage();
  try {
    leave(std::forward<ChildMain>(child_main)());
  } catch (...) {
    leave(exit_escaped_exception);
  }
}

/// From here on, exit() and quick_exit() called by anybody in this process end it at once, before any handler or
/// destructor that the host registered earlier (on_exit(3): handlers run in the reverse order of their registration).
inline void leave_only_by_underscore_exit() {
  ::on_exit([](int status, void*) { leave(status); }, nullptr);
  ::at_quick_exit([] { leave(exit_done); });
}

} // namespace lk::parallel::process
