// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio_ext.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#ifdef __GLIBCXX__
#include <ext/stdio_filebuf.h>
#include <ext/stdio_sync_filebuf.h>
#endif

#include <lk/parallel/base/posix.hpp>

// What a forked child does before anything else so that it cannot disturb its host: signals, descriptors, buffered
// output, memory priority. Used by the zygote and the worker. Everything here is safe in a child of a process with
// threads on glibc 2.35 and newer (malloc works, no lock but malloc's is taken).

namespace lk::parallel::process {

/// Terminals, schedulers and timeout(1) signal whole groups; only the host decides what that means. Signals that tell
/// of a fault in the code keep their default action.
inline void ignore_signals_meant_for_the_host() {
  constexpr std::array always_default{SIGSEGV, SIGBUS, SIGFPE,  SIGILL,  SIGABRT,
                                      SIGTRAP, SIGSYS, SIGCHLD, SIGTSTP, SIGCONT};
  constexpr std::array always_ignored{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};
  const auto contains = [](const auto& list, int signal) {
    return std::find(list.begin(), list.end(), signal) != list.end();
  };
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    struct sigaction host_action {};
    if (signal == SIGKILL || signal == SIGSTOP || ::sigaction(signal, nullptr, &host_action) != 0) continue;
    struct sigaction action {};
    const bool host_cares = host_action.sa_handler != SIG_DFL;
    const bool ignored = contains(always_ignored, signal) || (host_cares && !contains(always_default, signal));
    action.sa_handler = ignored ? SIG_IGN : SIG_DFL;
    ::sigaction(signal, &action, nullptr);
  }
}

inline sigset_t signal_set(std::initializer_list<int> signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) ::sigaddset(&set, signal);
  return set;
}

inline void set_signal_mask(std::initializer_list<int> blocked) {
  const sigset_t mask = signal_set(blocked);
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

/// Ends this process by SIGALRM unless it is destroyed in time.
class life_limit {
 public:
  explicit life_limit(std::chrono::seconds longest) {
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    ::sigaction(SIGALRM, &usual, &before_);
    ::alarm(static_cast<unsigned>(longest.count()));
  }
  ~life_limit() {
    ::alarm(0);
    ::sigaction(SIGALRM, &before_, nullptr);
  }
  life_limit(const life_limit&) = delete;
  life_limit& operator=(const life_limit&) = delete;

 private:
  struct sigaction before_ {};
};

/// Streams of <iostream> that keep a buffer of their own (std::ios::sync_with_stdio(false)) go through stdio from here
/// on, which is flushed after each task. Their old buffers live on, unreachable, with what the host had put there.
inline void print_through_stdio() {
#ifdef __GLIBCXX__
  const auto redirect = [](std::ostream& stream, std::FILE* to) {
    const auto* own = dynamic_cast<const __gnu_cxx::stdio_filebuf<char>*>(stream.rdbuf());
    if (own != nullptr) stream.rdbuf(new __gnu_cxx::stdio_sync_filebuf<char>(to));
  };
  redirect(std::cout, stdout);
  redirect(std::clog, stderr);
  redirect(std::cerr, stderr);
#endif
}

/// What the host had buffered belongs to the host, which will write it itself.
inline void forget_buffered_output() {
  ::__fpurge(stdout);
  ::__fpurge(stderr);
  print_through_stdio();
}

/// Whether a descriptor is a conversation of the host (a peer waits for its end) rather than a file.
inline bool is_conversation(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  const auto type = status.st_mode & S_IFMT;
  return type == S_IFSOCK || type == S_IFIFO || type == 0; // 0: eventfd, epoll, timerfd, signalfd, pidfd, inotify
}

/// Closes the host's sockets, pipes, epoll and event descriptors above 2, else their peers would never see an end;
/// regular files and devices stay open. Throws: resource_error.
inline void close_conversations(std::span<const int> keep) {
  std::vector<int> open_now;
  DIR* const listing = ::opendir("/proc/self/fd");
  if (listing == nullptr) base::throw_errno("opendir", base::remedy_for_descriptors);
  while (const dirent* entry = ::readdir(listing)) open_now.push_back(std::atoi(entry->d_name));
  const int own = ::dirfd(listing);
  open_now.erase(std::remove(open_now.begin(), open_now.end(), own), open_now.end());
  ::closedir(listing);
  for (const int fd : open_now)
    if (fd > 2 && std::find(keep.begin(), keep.end(), fd) == keep.end() && is_conversation(fd)) ::close(fd);
}

inline void read_nothing_from_stdin() {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  if (fd != 0) {
    ::dup2(fd, 0);
    ::close(fd);
  }
}

/// Where memory runs out, the kernel should take a worker rather than the host: 200 of 1000 added to the score.
inline void offer_to_oom_killer() {
  const auto before = base::read_small_file("/proc/self/oom_score_adj");
  if (!before) return;
  const int score = std::min(1000, std::atoi(before->c_str()) + 200);
  const base::unique_fd fd(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  const std::string text = std::to_string(score);
  if (fd) [[maybe_unused]]
    const auto n = ::write(fd.get(), text.data(), text.size());
}

/// LLVM's OpenMP names a piece of shared memory after each process that uses it, and removes it when the process runs
/// its destructors, which workers and zygotes never do. For those who see a child dead, or are about to leave.
inline void remove_openmp_registration(pid_t dead) {
  const std::string name = "/dev/shm/__KMP_REGISTERED_LIB_" + std::to_string(dead) + "_" + std::to_string(::getuid());
  ::unlink(name.c_str());
}

/// Writing out a worker with a model of 100 GB would keep the news of its death back for minutes.
inline void refuse_core_dumps() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

} // namespace lk::parallel::process
