// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <oneapi/tbb/parallel_for.h>

#include <lk/parallel/threads/backend_pools.hpp>
#include <lk/parallel/threads/slot_binding.hpp>
#include <lk/parallel/threads/task_scope.hpp>
#include <lk/parallel/threads/tbb_slots.hpp>

// The threads that the tasks of one worker may use (child_threads). Worker processes and the in-process back ends run
// their tasks inside one, so that libraries see equal thread counts wherever a task runs. The process-wide size of a
// BLAS is not set here but by whoever owns the process for the time: backend_pools.

namespace lk::parallel::threads {

/// Within run(), oneTBB algorithms use n slots, and OpenMP gets n threads where fn calls it itself, one on the oneTBB
/// threads that help. n = -1 leaves OpenMP alone and gives oneTBB one slot, since oneTBB left alone would take every
/// CPU in every worker. Threads: one thread at a time. Fork: make it in the process that uses it.
class thread_budget {
 public:
  /// `real_tbb_threads`: false in a child of a process whose oneTBB could not be quiesced. There oneTBB counts on
  /// threads that were not copied, so everything stays in one slot and nothing is ever left to another thread.
  /// `pools`: what has been found so far; what is loaded later is seen by the next run(). `cpus` binds the oneTBB
  /// threads that help.
  thread_budget(int n_threads, bool real_tbb_threads, backend_pools pools = backend_pools::find(), slot_cpus cpus = {})
      : pools_(std::move(pools))
      , n_openmp_(n_threads)
      , n_slots_(real_tbb_threads ? std::max(n_threads, 1) : 1)
      , cpus_(std::move(cpus)) {}

  int n_slots() const { return n_slots_; }

  /// Blocks: until fn has returned. Throws: what fn throws.
  void run(const std::function<void()>& fn) {
    if (pools_.refresh()) slots_.reset(); // so that the helping threads come in anew and hear of it
    if (!slots_) slots_.emplace(n_slots_, pools_, n_openmp_ < 1 ? -1 : 1, cpus_);
    const task_scope inside;
    const openmp_scope counted(pools_, n_openmp_);
    slots_->execute([&] { fn(); });
  }

  /// Lets go of the arena until the next run(), so that it does not keep oneTBB from being quiesced.
  void rest() { slots_.reset(); }

 private:
  class openmp_scope {
   public:
    openmp_scope(const backend_pools& pools, int n) : pools_(pools) {
      if (n >= 1) before_ = pools_.get_for_this_thread();
      pools_.set_for_this_thread(n);
    }
    ~openmp_scope() { pools_.restore_for_this_thread(before_); }
    openmp_scope(const openmp_scope&) = delete;
    openmp_scope& operator=(const openmp_scope&) = delete;

   private:
    const backend_pools& pools_;
    std::vector<int> before_;
  };

  backend_pools pools_;
  int n_openmp_;
  int n_slots_;
  slot_cpus cpus_;
  std::optional<tbb_slots> slots_;
};

/// Takes and gives back oneTBB's locks in a child of a process whose oneTBB could not be quiesced. About one fork in a
/// thousand meets a oneTBB thread that leaves its arena and holds the scheduler's mutex.
/// Blocks: for ever in that case; the step belongs to the canary, which is watched from outside.
inline void probe_tbb() {
  thread_budget(1, false).run([] { oneapi::tbb::parallel_for(0, 2, [](int) {}); });
}

} // namespace lk::parallel::threads
