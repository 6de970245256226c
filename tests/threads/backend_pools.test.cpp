// lk-parallel | SPDX-License-Identifier: MIT
#include <dlfcn.h>

#include <cstdlib>
#include <thread>

#include <oneapi/tbb/parallel_for.h>

#include <lk/parallel/threads/backend_pools.hpp>
#include <lk/parallel/threads/thread_budget.hpp>
#include <support/catch.hpp>
#include <support/in_child.hpp>
#include <threads/rendezvous.hpp>

using namespace lk::parallel;
using testing::exited;
using testing::in_child;
using threads::set_backend_threads;

namespace {

constexpr int not_installed = 77;

using getter = int (*)();

/// A function of a library that is loaded for everybody, as a program linked with it would have it.
getter load(const char* library, const char* function) {
  void* const handle = ::dlopen(library, RTLD_NOW | RTLD_GLOBAL);
  return handle == nullptr ? nullptr : reinterpret_cast<getter>(::dlsym(handle, function));
}

void check(const testing::child_result& result) {
  if (result == exited(not_installed)) {
    WARN("skipped: the library is not installed");
  } else {
    CHECK(result == exited(0));
  }
}

} // namespace

TEST_CASE("OpenBLAS is sized, and left alone with -1 or where its own variable is set") {
  check(in_child([] {
    ::unsetenv("OPENBLAS_NUM_THREADS");
    const getter count = load("libopenblas.so.0", "openblas_get_num_threads");
    if (count == nullptr) return not_installed;
    set_backend_threads(1);
    if (count() != 1) return 1;
    set_backend_threads(2);
    if (count() != 2) return 2;
    set_backend_threads(-1);
    if (count() != 2) return 3;
    ::setenv("OPENBLAS_NUM_THREADS", "2", 1);
    set_backend_threads(1);
    if (count() != 2) return 4;
    ::setenv("OPENBLAS_NUM_THREADS", " ", 1);
    threads::set_backend_threads_after_fork(1);
    return count() == 1 ? 0 : 5;
  }));
}

TEST_CASE("OpenMP is sized for the calling thread only") {
  check(in_child([] {
    const getter count = load("libgomp.so.1", "omp_get_max_threads");
    if (count == nullptr) return not_installed;
    set_backend_threads(3);
    if (count() != 3) return 1;
    int other = 0;
    std::thread([&] {
      set_backend_threads(1);
      other = count();
    }).join();
    if (other != 1 || count() != 3) return 2;
    set_backend_threads(-1);
    return count() == 3 ? 0 : 3;
  }));
}

TEST_CASE("within a budget OpenMP has its threads in the function and one on the helping threads") {
  check(in_child([] {
    const getter count = load("libgomp.so.1", "omp_get_max_threads");
    if (count == nullptr) return not_installed;
    set_backend_threads(5);
    int in_function = 0, on_helper = 0;
    testing::rendezvous meeting(2);
    threads::thread_budget budget(2, true);
    budget.run([&, caller = std::this_thread::get_id()] {
      in_function = count();
      oneapi::tbb::parallel_for(0, 2, [&](int) {
        if (caller != std::this_thread::get_id()) on_helper = count();
        meeting.meet();
      });
    });
    if (in_function != 2) return 1;
    if (on_helper != 1) return 2;
    return count() == 5 ? 0 : 3;
  }));
}
