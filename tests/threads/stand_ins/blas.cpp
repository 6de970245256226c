// lk-parallel | SPDX-License-Identifier: MIT
// Libraries that are known by their functions but are in no Debian package, each built from this file with one of the
// macros below: they keep a number of threads and do nothing with it.

#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace {
int n_threads = 7;
}

extern "C" {

#if defined(STAND_IN_OPENBLAS) // its value: the beginning of the names; SUFFIX: their end
#define JOIN_NAME(prefix, name, suffix) prefix##openblas_##name##suffix
#define JOIN(prefix, name, suffix) JOIN_NAME(prefix, name, suffix)
#define NAME(name) JOIN(STAND_IN_OPENBLAS, name, SUFFIX)
int NAME(get_num_threads)() { return n_threads; }
void NAME(set_num_threads)(int n) { n_threads = n; }
const char* NAME(get_config)() { return "OpenBLAS 0.3.99 DYNAMIC_ARCH NO_AFFINITY Haswell MAX_THREADS=64"; }
int NAME(get_parallel)() { return 1; }

#elif defined(STAND_IN_MKL)
int MKL_Get_Max_Threads() { return n_threads; }
void MKL_Set_Num_Threads(int n) { n_threads = n; }
void MKL_Get_Version_String(char* text, int size) {
  std::strncpy(text, "Intel(R) oneAPI Math Kernel Library Version 2024.2-Product Build 20240605",
               static_cast<std::size_t>(size));
}
int MKL_Set_Threading_Layer(int layer) { return layer == -1 ? 3 : layer; }

#elif defined(STAND_IN_FLEXIBLAS) // which also defines functions of the libraries that it stands for
int flexiblas_get_num_threads() { return n_threads; }
void flexiblas_set_num_threads(int n) { n_threads = n; }
void flexiblas_get_version(int* major, int* minor, int* patch) { *major = 3, *minor = 4, *patch = 2; }
int flexiblas_current_backend(char* name, std::size_t) {
  return static_cast<int>(std::strlen(std::strcpy(name, "OPENBLAS-PTHREAD")));
}
int openblas_get_num_threads() { return n_threads; }
void openblas_set_num_threads(int n) { n_threads = n; }

#elif defined(STAND_IN_OPENMP)
int omp_get_max_threads() { return n_threads; }
void omp_set_num_threads(int n) { n_threads = n; }
void __kmpc_fork_call() {}
void GOMP_parallel() {}

#elif defined(STAND_IN_OPENMP_STUBS) // functions of OpenMP without threads
int omp_get_max_threads() { return n_threads; }
void omp_set_num_threads(int n) { n_threads = n; }
#endif
}

#if defined(STAND_IN_TORCH)
namespace at {
namespace {
int inter_op = 0;
}
int get_num_threads() { return n_threads; }
void set_num_threads(int n) { n_threads = n; }
int get_num_interop_threads() { return inter_op == 0 ? 7 : inter_op; }
void set_num_interop_threads(int n) {
  if (inter_op != 0) throw std::logic_error("cannot set number of interop threads after parallel work has started");
  inter_op = n;
}
} // namespace at
#endif
