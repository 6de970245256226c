// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <ostream>

// The knobs before (parallel_options) and after (ParallelConfig) they are resolved. The front re-exports both.

namespace lk::parallel {

/// What a caller asks of initialize(); an unset member falls back to the environment, then to the default.
struct parallel_options {
  std::optional<int> processes = {};       ///< LK_NUM_PROCS: worker processes
  std::optional<int> threads = {};         ///< LK_NUM_THREADS: threads of the training arena
  std::optional<int> backend_threads = {}; ///< LK_NUM_BACKEND_THREADS: BLAS and OpenMP threads; -1 leaves them alone
  std::optional<int> child_threads = {};   ///< LK_NUM_CHILD_THREADS: threads in each worker; -1 leaves them alone
};

/// The resolved knobs. Units: threads and processes.
struct ParallelConfig {
  int processes = 1;
  int threads = 1;
  int backend_threads = 1;
  int child_threads = 1;

  /// The knobs as a worker process sees them.
  constexpr ParallelConfig for_worker() const { return {1, 1, child_threads, 1}; }

  friend constexpr bool operator==(const ParallelConfig&, const ParallelConfig&) = default;
  friend std::ostream& operator<<(std::ostream& out, const ParallelConfig& config) {
    return out << "{processes: " << config.processes << ", threads: " << config.threads
               << ", backend_threads: " << config.backend_threads << ", child_threads: " << config.child_threads << '}';
  }
};

} // namespace lk::parallel
