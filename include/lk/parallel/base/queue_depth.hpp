// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

// How many tasks to keep queued ahead of a worker: enough that waking it and refilling its queue cost little beside
// the work, few enough that a long task does not hold many others back. What it holds back matters at the end of a map
// only, so where the end is known, queues are long before it and shorten towards it. Source: C. D. Polychronopoulos and
// D. J. Kuck, Guided self-scheduling, IEEE Transactions on Computers C-36 (1987).

namespace lk::parallel::base {

class queue_depth {
 public:
  static constexpr std::size_t least = 2;
  static constexpr std::size_t most = 8192;

  /// left_for_each: tasks that are still to come, for each worker; none: that is not known.
  std::size_t get(std::optional<std::size_t> left_for_each = {}) const {
    constexpr std::size_t parts = 4;
    return left_for_each ? std::clamp(*left_for_each / parts, at_the_end_, far_from_it_) : usual_;
  }

  /// Whether one worker does the tasks about as fast as a host can send them and take the results.
  bool is_of_short_tasks() const { return std::min(latest_ns_, before_ns_) < 1.5 * host_ns; }

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
    before_ns_ = std::exchange(latest_ns_, mean);
    usual_ = tasks_in(32 * wake_ns);
    at_the_end_ = tasks_in(8 * wake_ns);
    far_from_it_ = tasks_in(128 * wake_ns);
  }

 private:
  static constexpr double host_ns = 20;     // for a task of a few bytes
  static constexpr double wake_ns = 50'000; // of a sleeping worker, on another processor
  /// A worker that lost its processor to another for some milliseconds looks a thousand times slower than it is.
  static constexpr double largest_step = 8;

  std::size_t tasks_in(double ns) const {
    const double n = ns / std::max(mean_ns_, 1.0);
    return static_cast<std::size_t>(std::clamp(n, static_cast<double>(least), static_cast<double>(most)));
  }

  int n_learned_ = 0; ///< 2: or more
  double mean_ns_ = 0;
  double latest_ns_ = 1e9, before_ns_ = 1e9; ///< the last two readings: one of them may be too long
  std::size_t usual_ = least, at_the_end_ = least, far_from_it_ = least;
};

} // namespace lk::parallel::base
