// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

// How many tasks to keep queued ahead of a worker: enough that waking it and refilling its queue cost little beside
// the work, few enough that a long task does not hold many others back.

namespace lk::parallel::base {

class queue_depth {
 public:
  static constexpr std::size_t least = 2;
  static constexpr std::size_t most = 8192;

  std::size_t get() const { return depth_; }

  /// Whether some thirty of the tasks, or more, are done in the time that waking a sleeping worker takes.
  bool is_of_short_tasks() const { return mean_ns_ >= 0 && mean_ns_ < wake_ns / 30; }

  /// Takes in that so many tasks took so long. Units: nanoseconds. Any values are safe.
  void learn(std::uint64_t tasks, std::uint64_t busy_ns) {
    if (tasks == 0) return;
    const double mean = static_cast<double>(busy_ns) / static_cast<double>(tasks);
    if (n_learned_ == 0)
      mean_ns_ = mean;
    else if (n_learned_ == 1) // the first tasks have paid for a cold start
      mean_ns_ = std::min(mean, largest_step * mean_ns_);
    else
      mean_ns_ = 0.5 * (mean_ns_ + std::min(mean, largest_step * mean_ns_));
    n_learned_ = std::min(n_learned_ + 1, 2);
    const double wanted = queued_work_ns / std::max(mean_ns_, 1.0);
    depth_ = static_cast<std::size_t>(std::clamp(wanted, static_cast<double>(least), static_cast<double>(most)));
  }

 private:
  static constexpr double wake_ns = 50'000; // of a sleeping worker, on another processor
  static constexpr double queued_work_ns = 32 * wake_ns;
  /// A worker that lost its processor to another for some milliseconds looks a thousand times slower than it is.
  static constexpr double largest_step = 8;

  double mean_ns_ = -1; ///< none yet
  int n_learned_ = 0;   ///< 2: or more
  std::size_t depth_ = least;
};

} // namespace lk::parallel::base
