// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <dlfcn.h>

// OpenMP and OpenBLAS as a program that links them has them, but loaded at run time: the victim needs neither to be
// built, and the faults that are not about them run without. Loaded into the host, they are in its workers as well.

namespace lk::parallel::faults {

class run_time_library {
 public:
  explicit run_time_library(const char* name) : handle_(::dlopen(name, RTLD_NOW | RTLD_GLOBAL)) {}
  explicit operator bool() const { return handle_ != nullptr; }

  template <class Function> Function* function(const char* name) const {
    return reinterpret_cast<Function*>(::dlsym(handle_, name));
  }

 private:
  void* handle_; // stays loaded: its threads may live as long as the process
};

/// GCC's OpenMP, or another that has GCC's entry, as LLVM's.
class openmp {
 public:
  static std::optional<openmp> load(const char* file = "libgomp.so.1") {
    const run_time_library library(file);
    return library ? std::optional(openmp(library)) : std::nullopt;
  }

  /// What `#pragma omp parallel` is compiled to. Blocks: until all threads of the region have run the body.
  void parallel(const std::function<void()>& body) const {
    const auto call = [](void* data) { (*static_cast<const std::function<void()>*>(data))(); };
    run_(call, const_cast<void*>(static_cast<const void*>(&body)), 0, 0);
  }

 private:
  explicit openmp(const run_time_library& library)
      : run_(library.function<void(void (*)(void*), void*, unsigned, unsigned)>("GOMP_parallel")) {}
  void (*run_)(void (*)(void*), void*, unsigned, unsigned);
};

/// OpenBLAS, or for multiply() any other BLAS with the C interface.
class openblas {
 public:
  static std::optional<openblas> load(const char* file = "libopenblas.so.0") {
    const run_time_library library(file);
    return library ? std::optional(openblas(library)) : std::nullopt;
  }

  int n_threads() const { return n_threads_(); }
  void set_threads(int n) const { set_threads_(n); }

  /// a times b, square matrices with this number of rows, by rows.
  std::vector<double> product(int size, const std::vector<double>& a, const std::vector<double>& b) const {
    constexpr int row_major = 101, not_transposed = 111;
    std::vector<double> c(a.size(), 0);
    dgemm_(row_major, not_transposed, not_transposed, size, size, size, 1, a.data(), size, b.data(), size, 0, c.data(),
           size);
    return c;
  }

  /// One product of square matrices of ones; true where it is right.
  bool multiply(int size) const {
    const auto n = static_cast<std::size_t>(size);
    const std::vector<double> ones(n * n, 1);
    const std::vector<double> c = product(size, ones, ones);
    return std::all_of(c.begin(), c.end(), [size](double element) { return element == size; });
  }

 private:
  using dgemm = void(int, int, int, int, int, int, double, const double*, int, const double*, int, double, double*,
                     int);
  explicit openblas(const run_time_library& library)
      : n_threads_(library.function<int()>("openblas_get_num_threads"))
      , set_threads_(library.function<void(int)>("openblas_set_num_threads"))
      , dgemm_(library.function<dgemm>("cblas_dgemm")) {}
  int (*n_threads_)();
  void (*set_threads_)(int);
  dgemm* dgemm_;
};

} // namespace lk::parallel::faults
