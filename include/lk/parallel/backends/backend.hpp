// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <utility>

#include <lk/parallel/backends/outcome.hpp>
#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/wire/failure.hpp>

// What the result range asks of whatever runs the tasks of one map. Sequential, threads and processes model it; a
// cluster of machines would, too.

namespace lk::parallel::backends {

/// Where a back end puts what has finished. Called from poll() only, in the consumer's thread.
template <class R> class completion_sink {
 public:
  /// Units: bytes the outcome took on its way here, 0 where it did not travel.
  virtual void on_done(std::size_t index, outcome<R>&& what, std::size_t bytes) = 0;
  /// The same for a result; a sink may have a shorter way for it.
  virtual void on_value(std::size_t index, result_value<R>&& value, std::size_t bytes) {
    on_done(index, outcome<R>(std::move(value)), bytes);
  }
  /// Whether the rest had better wait where it is for now. A back end may hand it over all the same.
  virtual bool has_enough() const = 0;
  /// Whether an outcome is of no use before those of all tasks before it.
  virtual bool takes_in_order() const = 0;

 protected:
  ~completion_sink() = default;
};

/// Tasks are numbered from 0 in the order of submit(). All calls come from the consumer's thread, but interrupt().
template <class B, class Arg, class R>
concept backend = requires(B b, Arg arg, completion_sink<R>& sink, const base::deadline& limit) {
  { b.has_room() } -> std::same_as<bool>; // whether submit() may be called
  b.submit(std::move(arg));               // never waits; may keep the task back until flush(), poll() or wait()
  b.flush();                              // what was submitted is on its way
  b.poll(sink);                           // hands over what has finished; does not wait for tasks of others
  b.wait(limit);                          // until poll() may have something, interrupt() or the limit; after a submit
  b.interrupt();                          // ends a wait(); from any thread
  { b.n_running() } -> std::same_as<std::size_t>; // tasks being worked on now
  b.end();                                        // no more calls: what is unfinished is abandoned
};

/// The error that stands for an exception of a task, the same from every back end.
inline std::exception_ptr error_of_task(const wire::failure& what, std::size_t task, int worker, task_stage stage) {
  try {
    wire::throw_task_error(what, task, worker, stage);
  } catch (...) {
    return std::current_exception();
  }
}

inline std::exception_ptr error_of_task(std::exception_ptr thrown, std::size_t task, int worker, task_stage stage) {
  return error_of_task(wire::describe(std::move(thrown)), task, worker, stage);
}

} // namespace lk::parallel::backends
