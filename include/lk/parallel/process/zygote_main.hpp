// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <vector>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/process/control_socket.hpp>
#include <lk/parallel/process/exit_status.hpp>
#include <lk/parallel/process/fork.hpp>
#include <lk/parallel/process/hygiene.hpp>
#include <lk/parallel/process/task_clock.hpp>
#include <lk/parallel/process/worker_main.hpp>
#include <lk/parallel/process/worker_spec.hpp>
#include <lk/parallel/report/registry_lock.hpp>
#include <lk/parallel/report/worker_loggers.hpp>
#include <lk/parallel/shm/channel.hpp>

// The life of the zygote: a process with one thread that holds the model and function as they were when the invoker
// was made, does no work, forks workers when the host asks, reaps them, and leaves when the host does.
// docs/design/processes.md tells who notices what.

namespace lk::parallel::process {

/// Steps on the way to hello, written to pool_page::launch_step; the error message names the last one reached.
enum class launch_step : std::uint32_t {
  none,
  signals,
  descriptors,
  loggers,
  heap,
  exceptions,
  time_zone,
  console,
  pools,
  done
};

constexpr const char* to_string(launch_step step) {
  switch (step) {
  case launch_step::none:
    return "being forked";
  case launch_step::signals:
    return "setting up signals";
  case launch_step::descriptors:
    return "closing the host's descriptors";
  case launch_step::loggers:
    return "silencing the host's loggers";
  case launch_step::heap:
    return "allocating memory";
  case launch_step::exceptions:
    return "throwing and catching an exception";
  case launch_step::time_zone:
    return "using the C library's time zone lock";
  case launch_step::console:
    return "taking the console lock of the logging library";
  case launch_step::pools:
    return "setting up the thread pools of libraries";
  case launch_step::done:
    return "getting ready";
  }
  return "an unknown step";
}

class zygote_life {
 public:
  zygote_life(const pool_spec& spec, const shm::pool_memory& memory, const shm::event_bell& host_bell,
              control_socket& host, int host_pidfd)
      : spec_(spec)
      , memory_(memory)
      , host_bell_(host_bell)
      , host_(host)
      , host_pidfd_(host_pidfd)
      , workers_(static_cast<std::size_t>(spec.n_workers), 0)
      , clock_(spec.task_timeout, spec.n_workers) {}

  /// Blocks: until the host says stop or is gone.
  int run() {
    settle_in();
    sing();
    reach(launch_step::pools);
    if (spec_.in_zygote) spec_.in_zygote();
    reach(launch_step::done);
    limit_.reset();
    tell(news{news_kind::hello, -1, ::getpid(), 0, 0, 0});
    serve();
    return exit_done;
  }

 private:
  static constexpr auto grace_for_running_tasks = std::chrono::milliseconds(100);
  static constexpr auto longest_launch = std::chrono::seconds(60);
  static constexpr auto longest_farewell = std::chrono::seconds(1);

  void reach(launch_step step) const {
    memory_.page().launch_step.store(static_cast<std::uint32_t>(step), std::memory_order_relaxed);
  }

  /// The message wakes a sleeping host; the count tells one that is awake to look.
  /// Never waits for a host that is busy elsewhere.
  void tell(const news& message) {
    outbox_.push_back(message);
    send_outbox();
    // release: pairs with the acquire in supervisor::hear_news.
    memory_.page().news_sent.fetch_add(1, std::memory_order_release);
  }

  void send_outbox() {
    while (!outbox_.empty() && host_.try_send(outbox_.front())) outbox_.pop_front();
  }

  void settle_in() {
    reach(launch_step::signals);
    ::prctl(PR_SET_NAME, "lk-zygote");
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ignore_signals_meant_for_the_host();
    limit_.emplace(longest_launch); // where a copied lock hangs us and the host is gone, nobody else ends us
    set_signal_mask({SIGCHLD});
    leave_only_by_underscore_exit();
    reach(launch_step::descriptors);
    forget_buffered_output();
    const int keep[] = {host_bell_.fd(), host_.fd(), host_pidfd_};
    close_conversations(keep);
    read_nothing_from_stdin();
    offer_to_oom_killer();
    sigset_t child_ended;
    ::sigemptyset(&child_ended);
    ::sigaddset(&child_ended, SIGCHLD);
    child_ended_ = base::unique_fd(base::check("signalfd", base::remedy_for_descriptors, [&] {
      return ::signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
    }));
    reach(launch_step::loggers);
    report::silence_loggers();
  }

  /// The canary: touches the locks that another thread of the host may have held during the fork. Where one was, this
  /// hangs, the host hears no hello, and forks again.
  void sing() const {
    reach(launch_step::heap);
    const auto block = std::make_unique<std::vector<std::unique_ptr<int>>>();
    for (int i = 0; i < 64; ++i) block->push_back(std::make_unique<int>(i));
    reach(launch_step::exceptions);
    try {
      throw std::runtime_error("canary");
    } catch (const std::exception&) {
    }
    reach(launch_step::time_zone);
    const time_t now = ::time(nullptr);
    tm broken_down{};
    ::localtime_r(&now, &broken_down);
    reach(launch_step::console);
    report::probe_console_lock();
  }

  void serve() {
    while (true) {
      const auto of_host = static_cast<short>(outbox_.empty() ? POLLIN : POLLIN | POLLOUT);
      pollfd watched[] = {{host_.fd(), of_host, 0}, {child_ended_.get(), POLLIN, 0}, {host_pidfd_, POLLIN, 0}};
      base::retry_eintr([&] { return ::poll(watched, 3, clock_.poll_timeout()); });
      if (watched[2].revents != 0) return end_workers(std::chrono::milliseconds(0));
      if (watched[1].revents != 0) reap();
      kill_overdue();
      if (watched[0].revents == 0) continue;
      send_outbox();
      while (true) {
        const auto [received, state] = host_.try_receive<order>();
        if (received && received->kind == order_kind::stop) return end_workers(grace_for_running_tasks);
        if (received) follow(*received);
        if (state == control_socket::state::closed) return end_workers(std::chrono::milliseconds(0));
        if (!received) break;
      }
    }
  }

  void follow(const order& wanted) {
    if (wanted.kind == order_kind::fork_worker) fork_worker(wanted.worker);
    const pid_t pid = workers_[static_cast<std::size_t>(wanted.worker)];
    if (wanted.kind == order_kind::kill_worker && pid != 0) ::kill(pid, SIGKILL);
  }

  void fork_worker(int worker) {
    const pid_t self = ::getpid();
    const pid_t pid = fork_process();
    if (pid == 0) live_as_child([&] { return worker_main(spec_, worker, self, memory_, host_bell_); });
    if (pid < 0) {
      tell(news{news_kind::fork_failed, worker, 0, errno, 0, 0});
    } else {
      workers_[static_cast<std::size_t>(worker)] = pid;
      tell(news{news_kind::forked, worker, pid, 0, 0, 0});
    }
  }

  void kill_overdue() {
    clock_.look();
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      const auto worker = static_cast<int>(i);
      if (workers_[i] != 0 && clock_.is_overdue(worker, *memory_.at(worker).status)) ::kill(workers_[i], SIGKILL);
    }
  }

  void reap() {
    signalfd_siginfo consumed;
    while (::read(child_ended_.get(), &consumed, sizeof consumed) > 0) {
    }
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto found = std::find(workers_.begin(), workers_.end(), pid);
      if (found == workers_.end()) continue; // an orphan of a worker
      *found = 0;
      const auto how = exit_status::of_wait(status);
      const auto worker = static_cast<std::int32_t>(found - workers_.begin());
      tell(news{news_kind::ended, worker, pid, how.code(), how.was_killed() ? 1 : 0, clock_.bury(worker)});
    }
    end_orphans();
  }

  /// Ends what tasks of dead workers had started: as a subreaper we have become its parent.
  void end_orphans() const {
    const auto children = base::read_small_file("/proc/thread-self/children");
    std::istringstream list(children.value_or(""));
    for (pid_t pid = 0; list >> pid;)
      if (std::find(workers_.begin(), workers_.end(), pid) == workers_.end()) ::kill(pid, SIGKILL);
  }

  /// Blocks: for the grace, then as long as the kernel takes to end killed processes, at most longest_farewell.
  void end_workers(std::chrono::milliseconds grace) {
    const auto patience = base::deadline::after(grace);
    while (has_workers() && !patience.passed()) wait_for_a_child(patience);
    for (const pid_t pid : workers_)
      if (pid != 0) ::kill(pid, SIGKILL);
    const auto end = base::deadline::after(longest_farewell);
    reap();
    while (has_children() && !end.passed()) wait_for_a_child(end);
  }

  void wait_for_a_child(const base::deadline& until) {
    pollfd watched{child_ended_.get(), POLLIN, 0};
    ::poll(&watched, 1, until.poll_timeout());
    reap();
  }

  bool has_workers() const {
    return std::any_of(workers_.begin(), workers_.end(), [](pid_t pid) { return pid != 0; });
  }
  bool has_children() const { return !base::read_small_file("/proc/thread-self/children").value_or("").empty(); }

  const pool_spec& spec_;
  const shm::pool_memory& memory_;
  const shm::event_bell& host_bell_;
  control_socket& host_;
  int host_pidfd_;
  base::unique_fd child_ended_;
  std::optional<life_limit> limit_;
  std::vector<pid_t> workers_; ///< by worker number; 0: none
  task_clock clock_;
  std::deque<news> outbox_; ///< what the socket had no room for yet
};

} // namespace lk::parallel::process
