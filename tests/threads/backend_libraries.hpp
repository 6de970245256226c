// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <lk/parallel/backend_pools.hpp>
#include <support/catch.hpp>
#include <support/in_child.hpp>

// Compute libraries that tests load at run time, each in a process of its own, and how many threads they really use.

namespace lk::parallel::testing {

/// A library where its Debian package puts it, as found by CMake; the path is empty where it is not installed.
struct packaged_library {
  std::string path, package;
};

inline const packaged_library openblas_pthread{LK_TEST_OPENBLAS_PTHREAD, "libopenblas0-pthread"};
inline const packaged_library openblas_openmp{LK_TEST_OPENBLAS_OPENMP, "libopenblas0-openmp"};
inline const packaged_library openblas64_pthread{LK_TEST_OPENBLAS64_PTHREAD, "libopenblas64-0-pthread"};
inline const packaged_library debians_libblas{LK_TEST_LIBBLAS, "libopenblas0-pthread"};
inline const packaged_library blis_pthread{LK_TEST_BLIS_PTHREAD, "libblis4-pthread"};
inline const packaged_library blis_openmp{LK_TEST_BLIS_OPENMP, "libblis4-openmp"};
inline const packaged_library flexiblas{LK_TEST_FLEXIBLAS, "libflexiblas3"};
inline const packaged_library libgomp{LK_TEST_LIBGOMP, "libgomp1"};
inline const packaged_library libomp{LK_TEST_LIBOMP, "libomp5"};
inline const packaged_library libtorch{LK_TEST_LIBTORCH, "libtorch1.13"};

/// Runs a scenario in a process of its own, without variables that would size a library; it throws what is wrong.
/// Skips, with a sentence, where one of the libraries is not installed.
inline void scenario(const std::vector<packaged_library>& needed, const std::function<void()>& body) {
  for (const packaged_library& library : needed) {
    if (!library.path.empty()) continue;
    WARN("skipped: the Debian package " << library.package << " is not installed");
    return;
  }
  CHECK(
      in_child([&] {
        for (const char* variable : {"OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"})
          ::unsetenv(variable);
        body();
        return 0;
      }) == exited(0));
}

/// For use inside a scenario. Throws.
inline void expect(bool holds, const std::string& what) {
  if (!holds) throw std::logic_error("not so: " + what);
}
template <class A, class B> void expect_equal(const A& is, const B& should_be, const std::string& what) {
  if (is == should_be) return;
  std::ostringstream text;
  text << what << ": is " << is << ", should be " << should_be;
  throw std::logic_error(text.str());
}

/// Loaded for itself only, as a plugin's libraries are.
class loaded_library {
 public:
  explicit loaded_library(const std::string& path) : handle_(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw std::runtime_error(::dlerror());
  }
  explicit loaded_library(const packaged_library& library) : loaded_library(library.path) {}

  template <class Function> Function* function(const char* name) const {
    auto* const found = reinterpret_cast<Function*>(::dlsym(handle_, name));
    if (found == nullptr) throw std::runtime_error(std::string("there is no ") + name);
    return found;
  }
  void unload() { ::dlclose(handle_); }

 private:
  void* handle_;
};

/// The pools of that name, or of all names.
inline std::vector<backend_pool> pools_named(const std::string& name) {
  std::vector<backend_pool> found = backend_pools();
  std::erase_if(found, [&](const backend_pool& pool) { return pool.name != name; });
  return found;
}

/// The one pool of that name. Throws where there are none or several.
inline backend_pool only_pool(const std::string& name) {
  const std::vector<backend_pool> found = pools_named(name);
  expect_equal(found.size(), 1u, "number of pools of " + name);
  return found.front();
}

inline pid_t this_thread_id() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

/// Threads that run the body of a parallel region of this OpenMP library. Nested regions count as well.
inline int count_openmp_threads(const loaded_library& openmp) {
  struct {
    std::mutex mutex;
    std::set<pid_t> ids;
  } seen;
  const auto body = [](void* state) {
    auto& all = *static_cast<decltype(seen)*>(state);
    const std::lock_guard lock(all.mutex);
    all.ids.insert(this_thread_id());
  };
  // What GCC makes of `#pragma omp parallel`; LLVM's library has it as well.
  openmp.function<void(void (*)(void*), void*, unsigned, unsigned)>("GOMP_parallel")(body, &seen, 0, 0);
  return static_cast<int>(seen.ids.size());
}

/// A thread of this process, as proc(5) has it.
struct seen_thread {
  bool sleeps = false;
  std::uint64_t run_time = 0; ///< on CPUs so far, in nanoseconds
  friend bool operator==(const seen_thread&, const seen_thread&) = default;
};

inline std::map<std::string, seen_thread> threads_of_process() {
  std::map<std::string, seen_thread> threads;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream times(task.path() / "schedstat"), status(task.path() / "stat");
    std::string text;
    seen_thread thread;
    if (!(times >> thread.run_time) || !std::getline(status, text)) continue; // it has just ended
    const std::size_t name_end = text.rfind(')');
    thread.sleeps = name_end + 2 < text.size() && text[name_end + 2] == 'S';
    threads[task.path().filename().string()] = thread;
  }
  return threads;
}

/// A product of square matrices of ones, by the Fortran function that every BLAS has. Numbers are passed as 64 bits,
/// whose lower half is what a 32-bit build reads. True where the result is right.
inline bool multiply(const loaded_library& blas, std::int64_t n) {
  const std::vector<double> a(static_cast<std::size_t>(n * n), 1), b(a);
  std::vector<double> c(a.size(), 0);
  const double one = 1, zero = 0;
  blas.function<void(const char*, const char*, const std::int64_t*, const std::int64_t*, const std::int64_t*,
                     const double*, const double*, const std::int64_t*, const double*, const std::int64_t*,
                     const double*, double*, const std::int64_t*)>("dgemm_")("N", "N", &n, &n, &n, &one, a.data(), &n,
                                                                             b.data(), &n, &zero, c.data(), &n);
  return std::ranges::all_of(c, [&](double x) { return x == static_cast<double>(n); });
}

/// Threads that take part in one product: the calling one, those that run while it is computed, and those that are seen
/// to exist only meanwhile. Blocks: until all that still look for work after an earlier one have gone to sleep.
inline int count_threads_of_product(const loaded_library& blas) {
  const std::string own = std::to_string(this_thread_id());
  // OpenMP lets superfluous threads go at the first region after their number was lowered: they wake up to end.
  expect(multiply(blas, 600), "the product is right");
  const auto asleep = [&](const auto& thread) { return thread.first == own || thread.second.sleeps; };
  // Twice the same, since a thread's state and time are not read at the same moment.
  auto before = threads_of_process(), again = threads_of_process();
  const auto own_aside = [&](std::map<std::string, seen_thread> threads) {
    threads.erase(own);
    return threads;
  };
  while (!std::ranges::all_of(before, asleep) || own_aside(before) != own_aside(again)) {
    before = std::move(again);
    again = threads_of_process();
  }
  std::set<std::string> ran{own};
  std::atomic<bool> looking{false}, done{false};
  std::thread observer([&] {
    const std::string observing = std::to_string(this_thread_id());
    for (bool last = false; !last;) {
      last = done;
      for (const auto& [id, thread] : threads_of_process())
        if (id != observing && (!before.contains(id) || before[id].run_time != thread.run_time)) ran.insert(id);
      looking = true;
    }
  });
  while (!looking) std::this_thread::yield();
  const bool right = multiply(blas, 600);
  done = true;
  observer.join();
  expect(right, "the product is right");
  return static_cast<int>(ran.size());
}

/// The most threads that take part in one of several products: until as many as expected were seen, since BLIS makes
/// threads for each product and the observer may miss one that is short; at most 50.
inline int count_blas_threads(const loaded_library& blas, int expected) {
  int most = 0;
  for (int i = 0; i < 50 && most < expected; ++i) most = std::max(most, count_threads_of_product(blas));
  return most;
}

} // namespace lk::parallel::testing
