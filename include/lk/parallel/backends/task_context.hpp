// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <lk/parallel/backends/random.hpp>

// What a task can know about itself. Every back end makes one per attempt and hands it to functions that ask for it.

namespace lk::parallel {

/// What a task can know about itself, for functions that take it as their third argument.
/// Threads: one at a time. Lifetime: the call it was made for.
class task_context {
 public:
  /// Where the request to stop can be seen: the task is abandoned once `first_live` has passed its ticket.
  struct abandonment {
    const std::atomic<std::uint64_t>* first_live = nullptr;
    std::uint64_t ticket = 0;
  };

  /// Made by the back ends.
  task_context(std::size_t index, std::uint64_t root_seed, int attempt, int worker, abandonment abandoned)
      : index_(index)
      , seed_(task_rng::seed_of(root_seed, index))
      , attempt_(attempt)
      , worker_(worker)
      , abandoned_(abandoned) {}
  task_context(const task_context&) = delete;
  task_context& operator=(const task_context&) = delete;

  /// Position of the argument in the input, from invoker_options::first_task on.
  std::size_t index() const { return index_; }
  /// A function of invoker_options::seed and index() only.
  std::uint64_t seed() const { return seed_; }
  /// The task's own random stream: the same numbers for any n_jobs, back end and attempt.
  task_rng& rng() {
    if (!rng_) rng_.emplace(seed_);
    return *rng_;
  }

  /// From 1.
  int attempt() const { return attempt_; }
  /// Number of the worker, from 0.
  int worker() const { return worker_; }
  /// "task 12, worker 3": for log lines.
  std::string tag() const { return "task " + std::to_string(index_) + ", worker " + std::to_string(worker_); }
  /// Whether nobody waits for the result any more; a long task may then return anything, or throw.
  bool stop_requested() const {
    return abandoned_.first_live && abandoned_.ticket < abandoned_.first_live->load(std::memory_order_relaxed);
  }

 private:
  std::size_t index_;
  std::uint64_t seed_;
  std::optional<task_rng> rng_;
  int attempt_, worker_;
  abandonment abandoned_;
};

} // namespace lk::parallel
