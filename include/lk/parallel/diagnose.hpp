// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/diagnosis.hpp>

// What a person asks first when threads are too many or too few, or workers do not start: examples/lk_doctor.cpp prints
// it.

namespace lk::parallel {

/// Looks at knobs, CPUs, thread pools, threads and all that makes forking hard; `std::cout << diagnose()` prints it.
/// Initialises where that is still to be done. Blocks: some milliseconds, for reading files.
/// Threads: safe while no library is being loaded or unloaded. Throws: config_error.
LK_PARALLEL_FUNCTION diagnosis diagnose();

} // namespace lk::parallel

#ifndef LK_PARALLEL_COMPILED
#include <lk/parallel/runtime.hpp>
#endif
