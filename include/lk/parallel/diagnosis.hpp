// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/base/version.hpp>
#include <lk/parallel/config/config.hpp>
#include <lk/parallel/config/facts.hpp>
#include <lk/parallel/config/placement.hpp>

// What diagnose() hands back. How it is put together is in examination.hpp.

namespace lk::parallel {

/// A thread pool of a BLAS, OpenMP or LibTorch that the process has loaded, as it was when it was looked at.
struct backend_report {
  std::string name;            ///< "OpenBLAS"
  std::string kind;            ///< "BLAS", "OpenMP", "LibTorch intra-op", "LibTorch inter-op"
  std::string version;         ///< empty where the library does not tell
  std::string threading_layer; ///< "pthreads", "openmp"; empty where it is not known
  int threads = 0;             ///< as the calling thread sees it
  bool per_thread = false;     ///< the number belongs to the calling thread (OpenMP)
  std::string variable; ///< its own environment variable, where that is set and the library leaves the pool alone
  std::string file;     ///< the loaded object

  friend bool operator==(const backend_report&, const backend_report&) = default;
};

/// All that decides how many threads run where, and whether workers can be forked well.
struct diagnosis {
  version_number version = lk::parallel::version; ///< of the library
  std::vector<traced_knob> knobs;                 ///< the four, and where they came from
  placement bind = placement::none;               ///< LK_BIND; the option of an invoker goes before it
  cpu_counts cpus;                                ///< that this process may use
  machine_topology topology;                      ///< of the whole machine
  system_facts system;                            ///< limits and abilities of the system
  std::vector<backend_report> backends;           ///< thread pools of loaded libraries
  std::vector<thread_group> threads;              ///< all threads of the process
  std::vector<finding> findings;                  ///< warnings first

  friend bool operator==(const diagnosis&, const diagnosis&) = default;
};

/// In sections, for people.
LK_PARALLEL_FUNCTION std::ostream& operator<<(std::ostream& out, const diagnosis& all);

} // namespace lk::parallel

#ifndef LK_PARALLEL_COMPILED
#include <lk/parallel/diagnosis_text.hpp>
#endif
