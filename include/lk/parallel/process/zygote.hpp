// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/fault_point.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/process/control_socket.hpp>
#include <lk/parallel/process/exit_status.hpp>
#include <lk/parallel/process/fork.hpp>
#include <lk/parallel/process/hygiene.hpp>
#include <lk/parallel/process/kept_stacks.hpp>
#include <lk/parallel/process/worker_spec.hpp>
#include <lk/parallel/process/zygote_main.hpp>
#include <lk/parallel/report/registry_lock.hpp>
#include <lk/parallel/shm/channel.hpp>

// The host's handle on its zygote: forks it, in the one fork of this library whose parent has threads, waits for its
// hello, talks to it, and sees it out. A zygote that was copied while another thread held a lock never says hello; it
// is killed and forked again.

namespace lk::parallel::process {

class zygote {
 public:
  /// Blocks: until the zygote said hello, typically the time of one fork. Throws: resource_error.
  /// Lifetime: spec, memory and host_bell outlive the zygote.
  zygote(const pool_spec& spec, const shm::pool_memory& memory, const shm::event_bell& host_bell) {
    constexpr int most_attempts = 24;
    for (int attempt = 1; attempt <= most_attempts; ++attempt) {
      const auto fork_time = fork_once(spec, memory, host_bell);
      if (wait_for_hello(attempt * std::chrono::milliseconds(50) + fork_time)) {
        fork_time_ = fork_time;
        return;
      }
      end_now();
    }
    const auto step = static_cast<launch_step>(memory.page().launch_step.load(std::memory_order_relaxed));
    throw resource_error("starting the worker processes", 0,
                         "the parent of the workers was forked " + std::to_string(most_attempts) +
                             " times and each time hung or died while " + to_string(step) +
                             "; another thread of this program probably holds a lock all the time: make the invoker "
                             "before starting such threads");
  }
  ~zygote() {
    if (pid_ > 0) end_now();
  }
  zygote(const zygote&) = delete;
  zygote& operator=(const zygote&) = delete;

  /// For the destructor in a forked child of the host, whose child the zygote is not.
  void forget() { pid_ = 0; }

  pid_t pid() const { return pid_; }
  int control_fd() const { return control_.fd(); }
  std::chrono::nanoseconds fork_time() const { return fork_time_; } ///< that it took to fork it
  int pidfd() const { return pidfd_.get(); }                        ///< -1 where the kernel has none

  bool send(order_kind kind, int worker) const { return control_.send(order{kind, worker}); }
  auto try_receive() const { return control_.try_receive<news>(); }

  /// Gives how it ended, where that can be known.
  /// Blocks: until the zygote has ended its workers and itself, at most until the limit; then it is killed.
  std::optional<exit_status> stop(const base::deadline& limit) {
    send(order_kind::stop, -1);
    return wait_for_end(limit) ? reap() : end_now();
  }

  /// Kills and reaps it. Its workers die with it. Gives how it ended, where that can be known.
  std::optional<exit_status> end_now() {
    if (pidfd_)
      ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    else if (::waitpid(pid_, nullptr, WNOHANG) == 0)
      ::kill(pid_, SIGKILL);
    return reap();
  }

 private:
  std::chrono::nanoseconds fork_once(const pool_spec& spec, const shm::pool_memory& memory,
                                     const shm::event_bell& host_bell) {
    auto [host_end, zygote_end] = make_control_sockets();
    const base::unique_fd host_pidfd = base::above_stdio(base::pidfd_open(::getpid()));
    memory.page().launch_step.store(0, std::memory_order_relaxed);
    memory.page().news_sent.store(0, std::memory_order_relaxed); // one given up may have said hello just too late
    const kept_stacks stacks = kept_stacks::find();
    pid_t forked = -1;
    int error = 0;
    const auto begin = std::chrono::steady_clock::now();
    {
      const base::signals_blocked
          quiet; // inherited by the helper thread, and by the zygote until it has set up its own
      std::thread helper([&, &end = zygote_end] {
        report::run_with_registry_locked([&] {
          forked = fork_process();
          error = errno;
        });
        if (forked == 0)
          live_as_child([&] {
            stacks.keep();
            LK_PARALLEL_FAULT_POINT("zygote_begins");
            return zygote_life(spec, memory, host_bell, end, host_pidfd.get()).run();
          });
      });
      helper.join();
    }
    if (forked < 0) {
      errno = error;
      base::throw_errno("fork", base::remedy_for_processes);
    }
    pid_ = forked;
    pidfd_ = base::pidfd_open(forked);
    control_ = std::move(host_end);
    return std::chrono::steady_clock::now() - begin;
  }

  /// Throws: resource_error where the zygote says that the system refused it something.
  bool wait_for_hello(std::chrono::nanoseconds patience) {
    const auto limit = base::deadline::after(patience);
    while (true) {
      const auto [received, state] = try_receive();
      if (received && received->kind == news_kind::launch_failed) {
        end_now();
        throw resource_error(received->call, received->value, base::remedy_for_descriptors);
      }
      if (received) return received->kind == news_kind::hello;
      if (state == control_socket::state::closed || limit.passed()) return false;
      pollfd watched{control_.fd(), POLLIN, 0};
      ::poll(&watched, 1, limit.poll_timeout());
    }
  }

  /// Without a pidfd the end of the control socket stands for the end of the process, which follows at once.
  bool wait_for_end(const base::deadline& limit) const {
    while (true) {
      pollfd watched{pidfd_ ? pidfd_.get() : control_.fd(), POLLIN, 0};
      const int n = ::poll(&watched, 1, limit.poll_timeout());
      if (n > 0 && pidfd_) return true;
      if (n > 0)
        while (true) {
          const auto [received, state] = try_receive();
          if (state == control_socket::state::closed) return true;
          if (!received) break;
        }
      if (limit.passed()) return false;
    }
  }

  /// ECHILD: the host ignores SIGCHLD or reaps everything itself; the process is gone all the same.
  std::optional<exit_status> reap() {
    int status = 0;
    const pid_t reaped = base::retry_eintr([&] { return ::waitpid(pid_, &status, 0); });
    const bool is_known = reaped == pid_;
    remove_openmp_registration(pid_);
    pid_ = 0;
    pidfd_.reset();
    control_.close();
    return is_known ? std::optional(exit_status::of_wait(status)) : std::nullopt;
  }

  pid_t pid_ = 0;
  std::chrono::nanoseconds fork_time_{0};
  base::unique_fd pidfd_;
  control_socket control_;
};

} // namespace lk::parallel::process
