// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_scheduler_observer.h>

#include <lk/parallel/config/thread_names.hpp>
#include <lk/parallel/threads/backend_pools.hpp>
#include <lk/parallel/threads/slot_binding.hpp>
#include <lk/parallel/threads/task_scope.hpp>

// A oneTBB arena of exactly n slots, whose helping threads are marked as inside a task and have their own OpenMP count.
// The training arena and thread_budget are built on it; it knows nothing of who hands it work.

namespace lk::parallel::threads {

class tbb_slots {
 public:
  /// n slots, one of them for the thread that calls execute(). `openmp_count` is what OpenMP gets on the helping
  /// threads; -1 leaves it alone. `cpus` binds the helping threads.
  tbb_slots(int n, const backend_pools& pools, int openmp_count, slot_cpus cpus = {})
      : more_threads_(n)
      , arena_(n)
      , greeter_(arena_, pools, openmp_count, std::move(cpus)) {
    if (n > 1) greeter_.observe(true);
  }
  tbb_slots(const tbb_slots&) = delete;
  tbb_slots& operator=(const tbb_slots&) = delete;
  ~tbb_slots() {
    greeter_.observe(false);
    greeter_.free_all();
  }

  template <class Fn> void execute(Fn&& fn) { arena_.execute(std::forward<Fn>(fn)); }

 private:
  // oneTBB hands out no more threads than it counts CPUs unless it is told to. Controls add up to their minimum, so one
  // above the default takes nothing from others.
  struct wider_limit {
    explicit wider_limit(int n) {
      if (n > oneapi::tbb::info::default_concurrency()) {
        control.emplace(oneapi::tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(n));
      }
    }
    std::optional<oneapi::tbb::global_control> control;
  };

  class greeter : public oneapi::tbb::task_scheduler_observer {
   public:
    greeter(oneapi::tbb::task_arena& arena, const backend_pools& pools, int openmp_count, slot_cpus cpus)
        : task_scheduler_observer(arena)
        , pools_(pools)
        , openmp_count_(openmp_count)
        , binding_(std::move(cpus)) {}
    void on_scheduler_entry(bool is_helper) override {
      if (!is_helper) return;
      thread_local const int named = ::pthread_setname_np(::pthread_self(), config::tbb_thread_name);
      (void)named;
      arena_served = token_;
      binding_.come(oneapi::tbb::this_task_arena::current_thread_index());
      loaded_backends().set_for_this_thread(openmp_count_);
    }
    void on_scheduler_exit(bool is_helper) override {
      if (!is_helper) return;
      arena_served.reset();
      binding_.leave();
    }
    void free_all() noexcept { binding_.drop(); }

   private:
    // Tasks may load libraries while the slots are in use.
    backend_pools loaded_backends() {
      const std::lock_guard lock(mutex_);
      try {
        pools_.refresh();
      } catch (const std::bad_alloc&) { // oneTBB takes no exception here; then without what is new
      }
      return pools_;
    }

    std::mutex mutex_;
    backend_pools pools_; // guarded by mutex_
    int openmp_count_;
    slot_binding binding_;
    std::shared_ptr<const void> token_ = std::make_shared<char>();
  };

  wider_limit more_threads_;
  oneapi::tbb::task_arena arena_;
  greeter greeter_; // after the arena it observes
};

} // namespace lk::parallel::threads
