// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/config/thread_names.hpp>
#include <lk/parallel/stop_on_signals.hpp>

// How a signal becomes a request to stop.

namespace lk::parallel {

namespace front {

/// The signal handler may do next to nothing (signal-safety(7)), so it writes to an eventfd, and a thread that waits
/// there requests the stop. Never destroyed: a signal may come at any time.
class signal_stop {
 public:
  static signal_stop& instance() {
    static signal_stop& only = *new signal_stop;
    return only;
  }

  std::stop_token watch(std::initializer_list<int> signals) {
    if (source_.stop_requested()) return source_.get_token(); // a second signal keeps its default action
    for (const int signal : signals) {
      struct sigaction action {};
      action.sa_handler = &on_signal;
      action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART); // the second one has its default action
      ::sigemptyset(&action.sa_mask);
      base::check("sigaction", "give the numbers of signals that can be handled",
                  [&] { return ::sigaction(signal, &action, nullptr); });
    }
    return source_.get_token();
  }

 private:
  signal_stop() : fd_(base::check("eventfd", base::remedy_for_descriptors, [] { return ::eventfd(0, EFD_CLOEXEC); })) {
    event_fd = fd_.get();
    const base::signals_blocked inherited;
    try {
      std::thread([this] { wait(); }).detach();
    } catch (const std::system_error& no_thread) {
      throw resource_error("pthread_create", no_thread.code().value(), base::remedy_for_processes);
    }
  }

  void wait() {
    ::pthread_setname_np(::pthread_self(), config::signal_thread_name);
    std::uint64_t count = 0;
    if (base::retry_eintr([&] { return ::read(event_fd, &count, sizeof count); }) > 0) source_.request_stop();
  }

  static void on_signal(int) {
    const int interrupted_errno = errno;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(event_fd, &one, sizeof one);
    errno = interrupted_errno;
  }

  inline static int event_fd = -1; // set once, before any handler is installed
  base::unique_fd fd_;
  std::stop_source source_;
};

} // namespace front

LK_PARALLEL_DEFINITION std::stop_token stop_on_signals(std::initializer_list<int> signals) {
  return front::signal_stop::instance().watch(signals);
}

} // namespace lk::parallel
