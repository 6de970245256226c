// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <ostream>
#include <string>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/posix.hpp>
#include <support/procfs.hpp>

// Runs a callable in a forked child, so that a crash, a hang or a changed process-wide state stays there. The child
// leads its own process group; a hang is a named failure: at the deadline the whole group is killed, after who was in
// it and where each thread waited was written to stderr.

namespace lk::parallel::testing {

struct child_result {
  bool timed_out = false; ///< the deadline passed and the group was killed
  bool exited = false;    ///< it left by itself, with `code`
  int code = -1;
  bool killed = false; ///< it was ended by `signal`
  int signal = 0;

  friend bool operator==(const child_result&, const child_result&) = default;
  friend std::ostream& operator<<(std::ostream& out, const child_result& result) {
    if (result.timed_out) return out << "{timed out}";
    if (result.killed) return out << "{killed by signal " << result.signal << '}';
    return out << "{exited with " << result.code << '}';
  }
};

/// What a child that ran to its end with `code` hands back: REQUIRE(in_child(fn) == exited(0)).
inline child_result exited(int code) { return {.exited = true, .code = code}; }

/// What a child that died of `signal` hands back.
inline child_result killed(int signal) { return {.killed = true, .signal = signal}; }

/// Exit status of a child whose callable threw.
inline constexpr int child_threw = 99;

namespace in_child_parts {

[[noreturn]] inline void run_and_leave(const std::function<int()>& fn) {
  int code = child_threw;
  try {
    code = fn();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "in_child: the child threw: %s\n", e.what());
  } catch (...) {
    std::fprintf(stderr, "in_child: the child threw something that is no std::exception\n");
  }
  std::fflush(nullptr);
  ::_exit(code);
}

/// Catch2 handles these while a test runs; a child must die of them as any other program does.
inline void reset_crash_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS}) ::signal(signal, SIG_DFL);
}

/// True once the child is a zombie; false when the deadline passed first. Blocks: until then.
inline bool wait_until_dead(pid_t pid, const base::deadline& limit) {
  const base::unique_fd pidfd = base::pidfd_open(pid);
  while (true) {
    siginfo_t info{};
    const int found = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
    if ((found == 0 && info.si_pid == pid) || (found < 0 && errno == ECHILD)) return true;
    if (limit.passed()) return false;
    pollfd watched{pidfd.get(), POLLIN, 0};
    ::poll(&watched, pidfd ? 1 : 0, pidfd ? limit.poll_timeout() : 2);
  }
}

} // namespace in_child_parts

/// Calls fn in a child process and hands back how that ended. The child leaves by _exit(fn()), so no destructor, no
/// atexit handler and no report of the test framework runs twice.
/// Blocks: until the child is dead, at most `limit`. Fork: forks from the calling thread.
inline child_result in_child(const std::function<int()>& fn, std::chrono::seconds limit = std::chrono::seconds{30}) {
  std::fflush(nullptr);
  const pid_t pid = base::check("fork", base::remedy_for_processes, [] { return ::fork(); });
  if (pid == 0) {
    ::setpgid(0, 0);
    in_child_parts::reset_crash_signals();
    in_child_parts::run_and_leave(fn);
  }
  ::setpgid(pid, pid); // in both processes, so that the group exists before either goes on
  child_result result;
  if (!in_child_parts::wait_until_dead(pid, base::deadline::after(limit))) {
    result.timed_out = true;
    std::fprintf(stderr, "in_child: no end within %lld s; killed:\n%s", static_cast<long long>(limit.count()),
                 describe_group(pid).c_str());
    ::kill(-pid, SIGKILL);
  }
  int status = 0;
  const pid_t reaped = base::retry_eintr([&] { return ::waitpid(pid, &status, 0); });
  if (result.timed_out || reaped != pid) return result;
  result.exited = WIFEXITED(status);
  result.killed = WIFSIGNALED(status);
  if (result.exited) result.code = WEXITSTATUS(status);
  if (result.killed) result.signal = WTERMSIG(status);
  return result;
}

} // namespace lk::parallel::testing
