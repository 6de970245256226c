// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include <lk/parallel/backends/in_process.hpp>
#include <lk/parallel/backends/open_map.hpp>
#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/invoker_options.hpp>
#include <lk/parallel/process/pool.hpp>

// The part of an invoker that knows no types: chooses where tasks run, forks the worker processes, watches over what
// may be called when. An interface: what it takes to do that is in launcher.hpp.

namespace lk::parallel::front {

class worker_pool {
 public:
  virtual ~worker_pool() = default;

  virtual execution where() const = 0;
  virtual int n_workers() const = 0;
  virtual std::uint64_t seed() const = 0;
  virtual std::uint64_t first_task() const = 0;

  virtual void require_outside_map() const = 0;
  /// Closes the map in progress, if there is one.
  virtual void close_map() noexcept = 0;
  /// Throws: usage_error where no map may begin now.
  virtual void require_idle() const = 0;
  virtual backends::stream_options make_stream_options(bool in_order) const = 0;
  virtual invoker_stats stats() const = 0;
  /// Ends the workers.
  virtual void shut_down() noexcept = 0;

  /// Requires where() == execution::processes.
  virtual process::pool& processes() = 0;
  /// For execution::threads. Lifetime: the pool outlives the crew.
  virtual std::unique_ptr<backends::crew> make_crew(backends::crew_work work) = 0;
  /// For execution::sequential: calls worker_init, once. Null inside a task, which has a budget already.
  /// Throws: worker_lost.
  virtual backends::task_budget* settle_in_place() = 0;
};

/// function_state: what the worker processes' task_entry gets. Throws: config_error, resource_error.
LK_PARALLEL_FUNCTION std::unique_ptr<worker_pool> make_worker_pool(invoker_options options, bool may_fork,
                                                                   void* function_state);

} // namespace lk::parallel::front

#ifndef LK_PARALLEL_COMPILED
#include <lk/parallel/launcher.hpp>
#endif
