// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include <lk/parallel/backends/result_buffer.hpp>
#include <lk/parallel/base/deadline.hpp>

// What a map asks of whatever runs its tasks. Sequential, threads and processes are three answers; a cluster of
// machines would be another.

namespace lk::parallel::backends {

/// Runs the tasks of one map. Tasks are numbered in the order of submit(), from stream_options::first_task on.
/// Element: what the source gives for an argument, a value or a reference. R: what the function returns.
/// Threads: the consumer's, but for interrupt().
template <class Element, class R> class backend {
 public:
  virtual ~backend() = default;

  /// So many tasks will be submitted in all. Called before the first, where that is known.
  virtual void expect(std::size_t /*n_tasks*/) {}
  /// How many tasks may be submitted before the next question; it may be more then. Units: tasks.
  virtual std::size_t room() = 0;
  /// Never waits; may keep the task back until flush(), poll() or wait().
  virtual void submit(Element element) = 0;
  /// What was submitted is on its way.
  virtual void flush() = 0;
  /// Hands over what has finished; does not wait for tasks of others.
  /// Throws: worker_lost, resource_error; no task can be run any more then.
  virtual void poll(result_buffer<R>& results) = 0;
  /// Blocks: until poll() may have something, interrupt(), or the limit. To be called after a submit() only.
  virtual void wait(const base::deadline& limit) = 0;
  /// Ends a wait(). Threads: any.
  virtual void interrupt() = 0;
  /// Tasks being worked on now.
  virtual std::size_t n_running() const = 0;
  /// What is unfinished is abandoned; no more calls. Blocks: for tasks that cannot be left alone.
  virtual void end() = 0;
};

} // namespace lk::parallel::backends
