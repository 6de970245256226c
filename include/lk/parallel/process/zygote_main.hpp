// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <optional>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/fault_point.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/process/canary.hpp>
#include <lk/parallel/process/control_socket.hpp>
#include <lk/parallel/process/fork.hpp>
#include <lk/parallel/process/hygiene.hpp>
#include <lk/parallel/process/loss.hpp>
#include <lk/parallel/process/roster.hpp>
#include <lk/parallel/process/task_clock.hpp>
#include <lk/parallel/process/worker_main.hpp>
#include <lk/parallel/process/worker_spec.hpp>
#include <lk/parallel/report/worker_loggers.hpp>
#include <lk/parallel/shm/channel.hpp>

// The life of the zygote: a process with one thread that holds the model and function as they were when the invoker
// was made, does no work, forks workers when the host asks, reaps them, and leaves when the host does.
// docs/design/processes.md tells who notices what.

namespace lk::parallel::process {

class zygote_life {
 public:
  zygote_life(const pool_spec& spec, const shm::pool_memory& memory, const shm::event_bell& host_bell,
              control_socket& host, int host_pidfd)
      : spec_(spec)
      , memory_(memory)
      , host_bell_(host_bell)
      , host_(host)
      , host_pidfd_(host_pidfd)
      , workers_(spec.n_workers, spec.count_oom_kills)
      , clock_(spec.task_timeout, spec.n_workers) {}

  /// Blocks: until the host says stop or is gone.
  int run() {
    try {
      settle_in();
    } catch (const resource_error& refused) {
      news failure{.kind = news_kind::launch_failed, .worker = -1, .value = refused.errno_code};
      refused.call.copy(failure.call, sizeof failure.call - 1);
      tell(failure);
      return exit_escaped_exception;
    }
    sing([&](launch_step step) { reach(step); });
    reach(launch_step::pools);
    if (spec_.in_zygote) spec_.in_zygote();
    reach(launch_step::done);
    limit_.reset();
    tell({.kind = news_kind::hello, .worker = -1, .pid = ::getpid()});
    serve();
    remove_openmp_registration(::getpid());
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
    take_name(zygote_name(::getpid()));
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ignore_signals_meant_for_the_host();
    limit_.emplace(longest_launch);      // where a copied lock hangs us and the host is gone, nobody else ends us
    set_signal_mask({SIGCHLD, SIGCONT}); // both are read from signals_
    leave_only_by_underscore_exit();
    reach(launch_step::descriptors);
    forget_buffered_output();
    const int keep[] = {host_bell_.fd(), host_.fd(), host_pidfd_};
    close_conversations(keep);
    read_nothing_from_stdin();
    offer_to_oom_killer();
    signals_ = base::unique_fd(base::check("signalfd", base::remedy_for_descriptors, [&] {
      const sigset_t read_here = signal_set({SIGCHLD, SIGCONT});
      return ::signalfd(-1, &read_here, SFD_CLOEXEC | SFD_NONBLOCK);
    }));
    reach(launch_step::loggers);
    report::silence_loggers();
  }

  void serve() {
    while (true) {
      const auto of_host = static_cast<short>(outbox_.empty() ? POLLIN : POLLIN | POLLOUT);
      pollfd watched[] = {{host_.fd(), of_host, 0}, {signals_.get(), POLLIN, 0}, {host_pidfd_, POLLIN, 0}};
      base::retry_eintr([&] { return ::poll(watched, 3, clock_.poll_timeout()); });
      if (watched[2].revents != 0) return end_workers(std::chrono::milliseconds(0));
      look_at_workers();
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
    if (wanted.kind == order_kind::kill_worker) workers_.end(wanted.worker);
    if (wanted.kind == order_kind::end_abandoned) clock_.expect_abandoned();
  }

  void fork_worker(int worker) {
    const pid_t self = ::getpid();
    const pid_t pid = fork_process();
    if (pid == 0) live_as_child([&] { return worker_main(spec_, worker, self, memory_, host_bell_); });
    if (pid < 0) return tell({.kind = news_kind::fork_failed, .worker = worker, .value = errno});
    workers_.add(worker, pid);
    tell({.kind = news_kind::forked, .worker = worker, .pid = pid});
  }

  // --- deaths

  struct signals_seen {
    bool child_changed = false, stood_still = false;
  };

  signals_seen take_signals() const {
    signals_seen seen;
    for (signalfd_siginfo next; ::read(signals_.get(), &next, sizeof next) > 0;)
      (next.ssi_signo == SIGCHLD ? seen.child_changed : seen.stood_still) = true;
    return seen;
  }

  /// Takes the time before the signals: whatever stopped this process until now has left its SIGCONT.
  void look_at_workers() {
    const auto now = task_clock::clock::now();
    const auto seen = take_signals();
    if (seen.child_changed) reap();
    clock_.look(now, seen.stood_still);
    for (int worker = 0; worker < memory_.n_workers(); ++worker) {
      const shm::channel channel = memory_.at(worker);
      const auto first_live = channel.host->first_live_ticket.load(std::memory_order_relaxed);
      if (workers_.has(worker) && clock_.is_due(worker, *channel.status, first_live)) end_if_still_at_it(worker);
    }
  }

  /// The task may be finished by now and the next one begun: that one must not suffer. So the worker is made to stand
  /// still before it is judged.
  void end_if_still_at_it(int worker) {
    LK_PARALLEL_FAULT_POINT("about_to_kill");
    if (!workers_.hold(worker)) return; // it has ended by itself
    if (clock_.is_still_at_it(worker, *memory_.at(worker).status))
      workers_.end(worker);
    else
      workers_.let_go_on(worker);
  }

  void reap() {
    workers_.reap([&](int worker, pid_t pid, const worker_end& end) {
      LK_PARALLEL_FAULT_POINT("worker_reaped");
      tell({.kind = news_kind::ended,
            .worker = worker,
            .pid = pid,
            .value = end.how.code(),
            .killed = end.how.was_killed() ? 1 : 0,
            .out_of_memory = end.out_of_memory ? 1 : 0,
            .peak_rss = end.peak_rss_bytes,
            .overdue = clock_.bury(worker)});
    });
  }

  /// Blocks: for the grace, then as long as the kernel takes to end killed processes, at most longest_farewell.
  void end_workers(std::chrono::milliseconds grace) {
    wait_for_workers(grace);
    if (counts_coverage()) let_coverage_be_written();
    workers_.end_all();
    const auto end = base::deadline::after(longest_farewell);
    reap();
    while (roster::has_children() && !end.passed()) wait_for_a_child(end);
  }

  void wait_for_workers(std::chrono::milliseconds longest) {
    const auto patience = base::deadline::after(longest);
    while (!workers_.empty() && !patience.passed()) wait_for_a_child(patience);
  }

  /// A worker that is killed while it writes what it has counted spoils the file for all.
  void let_coverage_be_written() {
    for (int worker = 0; worker < memory_.n_workers(); ++worker)
      if (memory_.at(worker).status->started.load(std::memory_order_relaxed) != 0) workers_.end(worker);
    wait_for_workers(std::chrono::seconds(10));
  }

  void wait_for_a_child(const base::deadline& until) {
    pollfd watched{signals_.get(), POLLIN, 0};
    ::poll(&watched, 1, until.poll_timeout());
    take_signals();
    reap();
  }

  const pool_spec& spec_;
  const shm::pool_memory& memory_;
  const shm::event_bell& host_bell_;
  control_socket& host_;
  int host_pidfd_;
  base::unique_fd signals_;
  std::optional<life_limit> limit_;
  roster workers_;
  task_clock clock_;
  std::deque<news> outbox_; ///< what the socket had no room for yet
};

} // namespace lk::parallel::process
