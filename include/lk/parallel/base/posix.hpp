// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/unique_fd.hpp>

// Checked system calls: retried on EINTR, and a failure is a resource_error that names the call. Nothing else in the
// library looks at errno.

namespace lk::parallel::base {

[[noreturn, gnu::cold]] inline void throw_errno(const char* call, const char* remedy) {
  throw resource_error(call, errno, remedy);
}

/// Calls fn until it does not fail with EINTR; hands back its value.
template <class Fn> auto retry_eintr(Fn&& fn) {
  auto value = fn();
  while (value < 0 && errno == EINTR) value = fn();
  return value;
}

/// Calls fn until it does not fail with EINTR. Throws: resource_error where it still fails.
template <class Fn> auto check(const char* call, const char* remedy, Fn&& fn) {
  const auto value = retry_eintr(std::forward<Fn>(fn));
  if (value < 0) throw_errno(call, remedy);
  return value;
}

/// The same where the caller has more to say about a failure: on_failure(errno) throws, or lets it pass.
template <class OnFailure, class Fn>
requires std::invocable<OnFailure&, int>
auto check(OnFailure on_failure, Fn&& fn) {
  const auto value = retry_eintr(std::forward<Fn>(fn));
  if (value < 0) on_failure(int{errno});
  return value;
}

inline constexpr const char* remedy_for_descriptors = "close unused files or raise the limit (ulimit -n)";
inline constexpr const char* remedy_for_memory =
    "free memory, or raise the address-space limit (ulimit -v) or the overcommit limit (vm.overcommit_memory)";
inline constexpr const char* remedy_for_processes =
    "use fewer workers (n_jobs, LK_NUM_PROCS), or raise the process limit (ulimit -u, pids.max of the cgroup)";

/// The descriptor itself, or a copy of it above the standard ones: where a program was started with one of those
/// closed, a new descriptor takes its number, and would then be mistaken for it. Throws: resource_error.
inline unique_fd above_stdio(unique_fd fd) {
  if (!fd || fd.get() > STDERR_FILENO) return fd;
  return unique_fd(
      check("fcntl", remedy_for_descriptors, [&] { return ::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1); }));
}

/// Whole content of a small file (procfs, sysfs, cgroupfs); nothing where it cannot be read.
inline std::optional<std::string> read_small_file(const std::string& path) {
  const unique_fd fd(retry_eintr([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!fd) return std::nullopt;
  std::string text;
  char chunk[4096];
  while (true) {
    const ssize_t n = retry_eintr([&] { return ::read(fd.get(), chunk, sizeof chunk); });
    if (n < 0) return std::nullopt;
    if (n == 0) return text;
    text.append(chunk, static_cast<std::size_t>(n));
  }
}

/// A descriptor that becomes readable when the process ends; empty where the kernel has none (before Linux 5.3,
/// some sandboxes, valgrind).
inline unique_fd pidfd_open(pid_t pid) noexcept {
#ifdef SYS_pidfd_open
  return unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
#else
  (void)pid;
  return unique_fd();
#endif
}

/// All signals blocked in this thread for the life of the object.
class signals_blocked {
 public:
  signals_blocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  sigset_t before_;
};

} // namespace lk::parallel::base
