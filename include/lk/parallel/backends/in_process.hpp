// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <functional>
#include <memory>

// What the back ends that stay in this process need of whoever owns its threads. Interfaces, so that the typed code,
// which every user compiles for types of their own, does not need to know how it is done.

namespace lk::parallel::backends {

/// The threads that a task may use. Threads: one at a time.
class task_budget {
 public:
  virtual ~task_budget() = default;
  /// Calls fn under the budget. Blocks: until it has returned. Throws: what fn throws.
  virtual void run(const std::function<void()>& fn) = 0;
  /// Lets go of threads until the next run().
  virtual void rest() = 0;
};

/// Threads that are there for one map, each under a budget of its own, in its place, after its worker_init.
/// Lifetime: the destructor waits for all of them.
class crew {
 public:
  virtual ~crew() = default;
  /// Throws: resource_error where a thread cannot be made; those that were made live.
  virtual void start() = 0;
};

/// What the threads of a crew do. Both are called by the worker's own thread.
struct crew_work {
  std::function<void(int worker)> live;                 ///< until there is nothing more to do
  std::function<void(std::exception_ptr lost)> give_up; ///< a worker_lost: it could not begin, or live() threw
};

/// A crew that waits for start().
using make_crew = std::function<std::unique_ptr<crew>(crew_work)>;

} // namespace lk::parallel::backends
