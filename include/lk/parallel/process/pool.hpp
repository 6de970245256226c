// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/process/running_task.hpp>
#include <lk/parallel/wire/cursor.hpp>
#include <lk/parallel/wire/frame.hpp>

// A pool of worker processes as the typed layer sees it: bytes go in, bytes come out. An interface, so that the typed
// code, which every user compiles for types of their own, does not need to know how it is done.

namespace lk::parallel::process {

/// Where answers go: called from pump(), once per task, with the task's number in its map.
class answer_sink {
 public:
  /// Calls message.require_intact() between decoding the result and believing it; what that throws comes out.
  virtual void on_result(std::uint64_t index, int worker, const wire::message& message) = 0;
  /// Results of the n tasks from `first` on, each of map_spec::result_bytes, one after the other. They are intact.
  virtual void on_plain_results(std::uint64_t first, std::size_t n, const std::byte* results) = 0;
  /// It failed or was lost: a task_error, worker_lost or task_timeout.
  virtual void on_error(std::uint64_t index, std::exception_ptr what) = 0;
  /// Whether further results had better stay on the rings for now.
  virtual bool has_enough() const { return false; }
  /// Whether results may wait on the rings until those of all tasks before theirs are here.
  virtual bool takes_in_order() const { return false; }

 protected:
  ~answer_sink() = default;
};

/// What all tasks of one map have in common.
struct map_spec {
  task_entry entry = nullptr;
  std::uint64_t seed = 0;
  std::uint64_t first_index = 0;  ///< of the first task
  std::size_t argument_bytes = 0; ///< of each argument, where they go into runs; 0: they do not
  std::size_t result_bytes = 0;   ///< of each result, where all are values of so many bytes, most_plain_bytes at most
};

/// Room for the arguments of the next tasks, one after the other.
struct argument_run {
  std::byte* next = nullptr;
  std::size_t n_left = 0; ///< tasks
};

/// Tasks are numbered in the order in which they are submitted, from map_spec::first_index on. Threads: one at a time.
class pool {
 public:
  virtual ~pool() = default;

  /// Throws: worker_lost where the pool has died.
  virtual void begin_map(const map_spec& map) = 0;
  /// The map just begun will have so many tasks. Need not be called.
  virtual void expect(std::uint64_t n_tasks) = 0;
  /// What runs of it has a grace to end by itself.
  virtual void abandon_map() = 0;

  /// Whether a task may be submitted now.
  virtual bool has_room() = 0;
  /// One task, whose argument is written into what this returns; end_task() submits it, drop_task() does not, and its
  /// number is used up. Requires has_room().
  virtual wire::writer& begin_task() = 0;
  virtual void end_task() = 0;
  virtual void drop_task() noexcept = 0;
  /// Several tasks whose arguments are their bytes; close_run() submits them. Nothing else is called between the two.
  /// Requires has_room(). Throws: std::bad_alloc.
  virtual argument_run open_run() = 0;
  /// n: how many arguments were written, at least 1.
  virtual void close_run(std::size_t n) = 0;
  /// What was submitted is on its way.
  virtual void flush() = 0;

  /// Takes in what has arrived, but for what had better stay on the rings for now: it is in nobody's way there, and in
  /// less memory. Does not wait. Throws: worker_lost where the pool cannot go on, resource_error.
  virtual void pump(answer_sink& sink) = 0;
  /// Blocks: until pump() may have something to do, or somebody has set `interrupted` and called wake(), or the limit.
  virtual void wait(const std::atomic<bool>& interrupted, const base::deadline& limit) = 0;
  /// Ends a wait(). Threads: any.
  virtual void wake() = 0;

  /// Tasks of the map that are being run at this moment.
  virtual std::size_t n_running() const = 0;

  /// begin_task() to end_task() around encode(wire::writer&). Throws: what that throws.
  template <class Encode> void submit(Encode&& encode) {
    try {
      std::forward<Encode>(encode)(begin_task());
    } catch (...) {
      drop_task();
      throw;
    }
    end_task();
  }
};

} // namespace lk::parallel::process
