// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <sys/wait.h>

#include <cstring>
#include <string>

// How a process ended, as a type: by itself with a status, or by a signal. Never an int with 128 added.

namespace lk::parallel::process {

class exit_status {
 public:
  static constexpr exit_status exited(int status) { return {false, status}; }
  static constexpr exit_status killed(int signal) { return {true, signal}; }

  /// Of a status that waitpid(2) gave for a process that has ended.
  static exit_status of_wait(int wait_status) {
    return WIFSIGNALED(wait_status) ? killed(WTERMSIG(wait_status)) : exited(WEXITSTATUS(wait_status));
  }

  constexpr bool was_killed() const { return killed_; }
  constexpr int code() const { return code_; } ///< signal number or exit status

  /// "was killed by SIGSEGV (Segmentation fault)", "exited with status 3".
  std::string sentence() const {
    if (!killed_) return "exited with status " + std::to_string(code_);
    const char* name = ::sigabbrev_np(code_);
    const char* text = ::sigdescr_np(code_);
    return "was killed by " + (name ? "SIG" + std::string(name) : "signal " + std::to_string(code_)) +
           (text ? " (" + std::string(text) + ")" : "");
  }

  friend constexpr bool operator==(const exit_status&, const exit_status&) = default;

 private:
  constexpr exit_status(bool killed, int code) : killed_(killed), code_(code) {}
  bool killed_;
  int code_;
};

} // namespace lk::parallel::process
