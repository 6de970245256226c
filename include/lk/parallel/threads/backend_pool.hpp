// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <lk/parallel/base/error.hpp>

// One thread pool of a library that the process has loaded: what it is, and how its size is asked and set. Users see it
// through lk/parallel/backend_pools.hpp.

namespace lk::parallel {

namespace threads {
/// How to speak to a library. Whatever the two throw stays here: LibTorch refuses by exceptions.
struct backend_controls {
  std::function<int()> get;
  std::function<void(int)> set;
};
} // namespace threads

/// What a pool computes.
enum class backend_kind {
  blas,           ///< OpenBLAS, MKL, BLIS, FlexiBLAS
  openmp,         ///< libgomp, libomp, libiomp5
  torch_intra_op, ///< LibTorch: threads that share one operation
  torch_inter_op, ///< LibTorch: operations at the same time
};

/// A thread pool of a BLAS, OpenMP or LibTorch in this process. Lifetime: its library stays loaded as long as a copy of
/// this lives.
struct backend_pool {
  backend_kind kind = backend_kind::blas; ///< what it computes
  std::string name = {};    ///< "OpenBLAS" "MKL" "BLIS" "FlexiBLAS" "libgomp" "libomp" "libiomp5" "LibTorch"
  std::string version = {}; ///< "0.3.21"; empty where the library does not tell
  std::string threading_layer =
      {};                ///< "pthreads" "openmp" "sequential" "intel" "gnu" "tbb" ...; FlexiBLAS: the BLAS behind it
  std::string file = {}; ///< path of the loaded object
  std::string variable = {}; ///< its own environment variable where that is set ("OPENBLAS_NUM_THREADS"), else ""
  bool per_thread = false;   ///< the size belongs to the calling thread (OpenMP), not to the process

  /// Its threads now, as the calling thread sees them; at least 1.
  int threads() const noexcept {
    try {
      return std::max(controls->get(), 1);
    } catch (...) {
      return 1;
    }
  }

  /// Also where `variable` is set: who names a pool means it. Threads: as safe as the library makes it; call it where
  /// nothing of that library runs. Throws: config_error for n < 1, usage_error where the library refuses, as LibTorch's
  /// inter-op pool does from the second time on.
  void set_threads(int n) const {
    if (n < 1) throw config_error("backend_pool::set_threads", std::to_string(n), "give a whole number from 1 up");
    if (!try_set_threads(n))
      throw usage_error(name + " (" + file +
                        ") refuses to change its number of threads now; set it before its first use");
  }

  /// The same without a word. False where the library refused.
  bool try_set_threads(int n) const noexcept {
    try {
      controls->set(n);
      return true;
    } catch (...) {
      return false;
    }
  }

  std::shared_ptr<const threads::backend_controls> controls = {}; ///< of the library's own use
};

} // namespace lk::parallel
