// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <oneapi/tbb/parallel_for.h>

#include <lk/parallel.hpp>
#include <lk/parallel/backend_pools.hpp>

// What a worker really gets: forks a small pool and counts the threads that meet inside parallel regions there.

namespace doctor {

using clock = std::chrono::steady_clock;

/// Threads in one worker; 0 where no such library is loaded.
struct worker_threads {
  int tbb = 0;
  int openmp = 0;
  int blas = 0; ///< what it says; the others are counted
};

struct measurement {
  double first_result_ms = 0; ///< from the making of the invoker to its first result
  worker_threads threads;
};

/// Threads seen inside a parallel region, each counted once.
class head_count {
 public:
  explicit head_count(int expected) : expected_(expected) {}

  /// Blocks: until as many as were expected are here, so that no thread takes the work of two; altogether at most a
  /// second.
  void arrive() {
    {
      const std::lock_guard lock(mutex_);
      seen_.insert(::gettid());
      n_ = static_cast<int>(seen_.size());
    }
    while (n_ < expected_ && clock::now() < end_) std::this_thread::yield();
  }
  int n() const { return n_; }

 private:
  const int expected_;
  const clock::time_point end_ = clock::now() + std::chrono::seconds(1);
  std::mutex mutex_;
  std::set<pid_t> seen_;
  std::atomic<int> n_ = 0;
};

inline int count_tbb_threads(int expected) {
  head_count heads(expected);
  oneapi::tbb::parallel_for(0, 4 * expected, [&](int) { heads.arrive(); });
  return heads.n();
}

/// Through the function that compilers call for a parallel region; GCC's and LLVM's runtimes have it.
inline int count_openmp_threads(int expected) {
  using region = void(void (*)(void*), void*, unsigned, unsigned);
  auto* const parallel = reinterpret_cast<region*>(::dlsym(RTLD_DEFAULT, "GOMP_parallel"));
  if (parallel == nullptr) return 0;
  head_count heads(expected);
  parallel([](void* all) { static_cast<head_count*>(all)->arrive(); }, &heads, 0, 0);
  return heads.n();
}

/// The most that a BLAS says it would use.
inline int ask_blas_threads() {
  int most = 0;
  for (const lk::parallel::backend_pool& pool : lk::parallel::backend_pools())
    if (pool.kind == lk::parallel::backend_kind::blas) most = std::max(most, pool.threads());
  return most;
}

inline worker_threads count_threads(int expected) {
  return {count_tbb_threads(expected), count_openmp_threads(expected), ask_blas_threads()};
}

/// Blocks: as long as a pool needs to start, and two seconds at most where threads are missing.
/// Throws: resource_error, worker_lost.
inline measurement measure() {
  measurement seen;
  const int expected = std::max(lk::parallel::get_parallel_config().child_threads, 1);
  const auto start = clock::now();
  lk::parallel::invoker inv{expected,
                            [](int n, bool counts) { return counts ? count_threads(n) : worker_threads{}; },
                            {.where = lk::parallel::execution::processes}};
  for ([[maybe_unused]] const worker_threads& none : inv.map(std::vector<bool>{false}))
    seen.first_result_ms = std::chrono::duration<double, std::milli>(clock::now() - start).count();
  for (const worker_threads& threads : inv.map(std::vector<bool>{true})) seen.threads = threads;
  return seen;
}

} // namespace doctor
