// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/shm/channel.hpp>

// How long each worker has been at its task, as the zygote sees it from the workers' status lines at regular looks: the
// host may be away for longer than any limit. Time in which a worker waits for its host does not count, nor does time
// in which this process did not run either (Ctrl-Z, a suspended machine).

namespace lk::parallel::process {

class task_clock {
 public:
  /// A limit of 0 is none.
  task_clock(std::chrono::milliseconds limit, int n_workers)
      : limit_(limit)
      , watches_(static_cast<std::size_t>(n_workers)) {}

  /// When to look again. Units: milliseconds for poll(2). A task is found overdue at most two looks late.
  int poll_timeout() const {
    if (limit_.count() == 0) return -1;
    constexpr std::chrono::milliseconds shortest{1}, longest{100};
    return static_cast<int>(std::clamp(limit_ / 10, shortest, longest).count());
  }

  /// Takes note of how much time has passed.
  void look() {
    const auto now = base::deadline::clock::now();
    passed_ = now - last_look_ > longest_gap ? std::chrono::nanoseconds{0} : now - last_look_;
    last_look_ = now;
  }

  /// Whether the task that the worker is running has just outrun its limit. Once per task, after look().
  bool is_overdue(int worker, const shm::status_line& status) {
    if (limit_.count() == 0) return false;
    watch& seen = watches_[static_cast<std::size_t>(worker)];
    const auto started = status.started.load(std::memory_order_relaxed);
    if (started != seen.started) {
      seen = {started, std::chrono::nanoseconds{0}, false};
      return false;
    }
    const bool waits_for_host = status.sleeps.load(std::memory_order_relaxed) != 0;
    if (started == 0 || waits_for_host || seen.overdue) return false;
    seen.time += passed_;
    seen.overdue = seen.time >= limit_;
    return seen.overdue;
  }

  /// Ticket + 1 of the task that outran its limit in this worker, 0 if none did; forgets the worker.
  std::uint64_t bury(int worker) {
    watch& seen = watches_[static_cast<std::size_t>(worker)];
    const std::uint64_t overdue = seen.overdue ? seen.started : 0;
    seen = {};
    return overdue;
  }

 private:
  struct watch {
    std::uint64_t started = 0; ///< as in the status line
    std::chrono::nanoseconds time{0};
    bool overdue = false;
  };
  static constexpr auto longest_gap = std::chrono::seconds(1);

  std::chrono::milliseconds limit_;
  std::vector<watch> watches_;
  base::deadline::clock::time_point last_look_ = base::deadline::clock::now();
  std::chrono::nanoseconds passed_{0};
};

} // namespace lk::parallel::process
