// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dlfcn.h>

#include <lk/parallel/config/environment.hpp>

// The thread pools of BLAS and OpenMP libraries, found by name among what the process has loaded, so that the library
// links none of them. The arenas and the front size them through this.

namespace lk::parallel::threads {

/// Threads: the process-wide settings are as safe as the found library makes them; call them where no BLAS call runs.
class backend_pools {
 public:
  /// What is loaded now. A BLAS whose own variable is set has been sized by the user and is left out.
  static backend_pools find() {
    backend_pools found;
    found.openmp_ = function<setter>("omp_set_num_threads");
    found.openmp_count_ = function<getter>("omp_get_max_threads");
    if (!config::read_environment_text("OPENBLAS_NUM_THREADS")) {
      found.openblas_ = function<setter>("openblas_set_num_threads");
      found.openblas64_ = function<setter>("openblas_set_num_threads64_");
    }
    if (!config::read_environment_text("MKL_NUM_THREADS")) found.mkl_ = function<setter>("MKL_Set_Num_Threads");
    if (!config::read_environment_text("BLIS_NUM_THREADS"))
      found.blis_ = function<blis_setter>("bli_thread_set_num_threads");
    return found;
  }

  /// Sizes the pools of the process, and OpenMP for this thread. -1 leaves everything alone.
  void set(int n) const {
    set_libraries(n);
    set_for_this_thread(n);
  }

  /// Only the pools of the process. -1 leaves them alone.
  void set_libraries(int n) const {
    if (n < 1) return;
    if (openblas_ != nullptr) openblas_(n);
    if (openblas64_ != nullptr) openblas64_(n);
    if (mkl_ != nullptr) mkl_(n);
    if (blis_ != nullptr) blis_(n);
  }

  /// Only what belongs to the calling thread: OpenMP's count is a variable of each thread (OpenMP 5.2, section 2.2).
  void set_for_this_thread(int n) const {
    if (n >= 1 && openmp_ != nullptr) openmp_(n);
  }

  /// What OpenMP would use on this thread; -1 where there is no OpenMP.
  int get_for_this_thread() const { return openmp_count_ != nullptr ? openmp_count_() : -1; }

 private:
  using getter = int (*)();
  using setter = void (*)(int);
  using blis_setter = void (*)(long); // dim_t, 64 bits wide in every packaged build

  template <class Function> static Function function(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_DEFAULT, name));
  }

  setter openmp_ = nullptr;
  getter openmp_count_ = nullptr;
  setter openblas_ = nullptr;
  setter openblas64_ = nullptr;
  setter mkl_ = nullptr;
  blis_setter blis_ = nullptr;
};

/// Sizes whatever is loaded now; -1 leaves it alone.
inline void set_backend_threads(int n) { backend_pools::find().set(n); }

/// The same in a fresh child. OpenBLAS first gets 1: where the fork met its threads at work, the child's first product
/// hangs unless the pool is made anew.
inline void set_backend_threads_after_fork(int n) {
  if (n >= 1) set_backend_threads(1);
  set_backend_threads(n);
}

} // namespace lk::parallel::threads
