// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <ostream>
#include <string>

// The knobs before (parallel_options) and after (ParallelConfig) they are resolved, and where each came from (knob).
// The front re-exports them.

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
  int processes = 1;       ///< worker processes of an invoker
  int threads = 1;         ///< of the training arena
  int backend_threads = 1; ///< of BLAS, OpenMP and LibTorch in the host; -1 leaves them alone
  int child_threads = 1;   ///< of each worker; -1 leaves BLAS and OpenMP alone

  /// The knobs as a worker process sees them.
  constexpr ParallelConfig for_worker() const { return {1, 1, child_threads, 1}; }

  friend constexpr bool operator==(const ParallelConfig&, const ParallelConfig&) = default;
  friend std::ostream& operator<<(std::ostream& out, const ParallelConfig& config) {
    return out << "{processes: " << config.processes << ", threads: " << config.threads
               << ", backend_threads: " << config.backend_threads << ", child_threads: " << config.child_threads << '}';
  }
};

/// Who set a knob.
enum class knob_origin {
  argument,      ///< parallel_options
  variable,      ///< the environment
  host,          ///< the process that made this worker
  default_value, ///< nobody: made from the number of CPUs
};

/// One knob in force and where it came from. Units: threads or processes.
struct traced_knob {
  std::string name;                                ///< of the member of ParallelConfig
  int value = 1;                                   ///< as in force
  knob_origin origin = knob_origin::default_value; ///< who set it
  std::string source; ///< "parallel_options::threads", "LK_NUM_THREADS", or the rule: "min(2 CPUs, 8)"

  /// The source as people read it: "default: min(2 CPUs, 8)"
  std::string told_origin() const { return (origin == knob_origin::default_value ? "default: " : "") + source; }

  friend bool operator==(const traced_knob&, const traced_knob&) = default;
  /// "threads 2 (LK_NUM_THREADS)"
  friend std::ostream& operator<<(std::ostream& out, const traced_knob& shown) {
    return out << shown.name << ' ' << shown.value << " (" << shown.told_origin() << ')';
  }
};

} // namespace lk::parallel
