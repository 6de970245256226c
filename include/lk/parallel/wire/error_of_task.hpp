// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/linkage.hpp>

// What becomes of an exception of a task, told without what it takes to do it.

namespace lk::parallel::wire {

/// The error that stands for an exception of a task, the same from every back end: a task_error with the original
/// nested, as far as it can be thrown again. worker: -1 where the argument never reached one.
LK_PARALLEL_FUNCTION std::exception_ptr error_of_task(std::exception_ptr thrown, std::size_t task, int worker,
                                                      task_stage stage);

} // namespace lk::parallel::wire

#ifndef LK_PARALLEL_COMPILED
#include <lk/parallel/wire/failure.hpp>
#endif
