// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/config/config.hpp>

// The four knobs of the process: resolved once, in force until it ends.

namespace lk::parallel {

/// Resolves the knobs: argument, then environment (LK_NUM_PROCS, LK_NUM_THREADS, LK_NUM_BACKEND_THREADS,
/// LK_NUM_CHILD_THREADS), then a default made from effective_cpu_count(). A second call warns and changes nothing.
/// With LK_DEBUG=1 it logs what it found through the logger "lk.parallel", at level info and, what may do harm,
/// warning. Threads: safe. Fork: in a worker it does nothing. Throws: config_error; a corrected call may follow.
/// Source: lenskit.parallel.initialize.
LK_PARALLEL_FUNCTION void initialize(const parallel_options& options = {});

/// initialize() with the defaults, where nobody has called it yet. Threads: safe. Throws: config_error.
LK_PARALLEL_FUNCTION void ensure_parallel_init();

/// The knobs in force; initialises where that is still to be done. Threads: safe. Throws: config_error.
LK_PARALLEL_FUNCTION const ParallelConfig& get_parallel_config();

/// CPUs this process may use: the least of the affinity mask and the cgroup quotas (version 1 and 2), at least 1.
LK_PARALLEL_FUNCTION int effective_cpu_count();

} // namespace lk::parallel

#ifndef LK_PARALLEL_COMPILED
#include <lk/parallel/runtime.hpp>
#endif
