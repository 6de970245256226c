// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/shm/channel.hpp>

// How long each worker has been at its task, as the zygote sees it from the workers' status lines at regular looks: the
// host may be away for longer than any limit. A task is due to be ended when it outruns its limit, or when nobody has
// wanted it any more for a grace. Time in which a worker waits for its host does not count, nor does time in which this
// process did not run either (Ctrl-Z, a suspended machine).

namespace lk::parallel::process {

class task_clock {
 public:
  using clock = base::deadline::clock;
  static constexpr auto grace_for_abandoned_tasks = std::chrono::milliseconds(100);

  /// A limit of 0 is none.
  task_clock(std::chrono::milliseconds limit, int n_workers)
      : limit_(limit)
      , watches_(static_cast<std::size_t>(n_workers)) {}

  /// When to look again. Units: milliseconds for poll(2). A task is found overdue at most two looks late.
  int poll_timeout() const { return static_cast<int>(next_look_.count()); }

  /// A map was abandoned: looks are needed until its tasks are gone.
  void expect_abandoned() { look_again_in(often); }

  /// Begins a look at all workers. `stood_still`: this process was stopped (SIGSTOP) since the look before.
  void look(clock::time_point now, bool stood_still) {
    passed_ = stood_still || now - last_look_ > longest_gap ? std::chrono::nanoseconds{0} : now - last_look_;
    last_look_ = now;
    next_look_ = never;
    if (limit_.count() != 0) look_again_in(std::clamp(limit_ / 10, shortest, longest));
  }

  /// Whether the task that the worker is running is to be ended. Once for each worker in each look.
  bool is_due(int worker, const shm::status_line& status, std::uint64_t first_live_ticket) {
    watch& seen = watches_[static_cast<std::size_t>(worker)];
    const auto started = status.started.load(std::memory_order_relaxed);
    const bool is_new = started != seen.started;
    if (is_new) seen = {started};
    if (started == 0) return false;
    const bool waits = status.waits_for_host();
    const bool is_abandoned = started <= first_live_ticket; // started is the ticket + 1
    if (is_abandoned) look_again_in(waits ? longest : often);
    if (is_new || waits) return false;
    seen.time += passed_;
    if (is_abandoned) seen.time_abandoned += passed_;
    return (limit_.count() != 0 && seen.time >= limit_) || seen.time_abandoned >= grace_for_abandoned_tasks;
  }

  /// Whether the worker, which stands still now, is at the task that was found due.
  bool is_still_at_it(int worker, const shm::status_line& status) const {
    const watch& seen = watches_[static_cast<std::size_t>(worker)];
    return seen.started != 0 && status.started.load(std::memory_order_relaxed) == seen.started;
  }

  /// Ticket + 1 of the task that outran its limit in this worker, 0 if none did; forgets the worker.
  std::uint64_t bury(int worker) {
    watch& seen = watches_[static_cast<std::size_t>(worker)];
    const std::uint64_t overdue = limit_.count() != 0 && seen.time >= limit_ ? seen.started : 0;
    seen = {};
    return overdue;
  }

 private:
  struct watch {
    std::uint64_t started = 0; ///< as in the status line
    std::chrono::nanoseconds time{0}, time_abandoned{0};
  };
  using milliseconds = std::chrono::milliseconds;
  static constexpr auto longest_gap = std::chrono::seconds(1);
  static constexpr milliseconds shortest{1}, often{10}, longest{100}, never{-1};

  void look_again_in(milliseconds wait) { next_look_ = next_look_ == never ? wait : std::min(next_look_, wait); }

  milliseconds limit_;
  std::vector<watch> watches_;
  clock::time_point last_look_ = clock::now();
  std::chrono::nanoseconds passed_{0};
  milliseconds next_look_ = limit_.count() == 0 ? never : std::clamp(limit_ / 10, shortest, longest);
};

} // namespace lk::parallel::process
