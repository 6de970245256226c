// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <oneapi/tbb/task_arena.h>

#include <lk/parallel/config/thread_names.hpp>
#include <lk/parallel/threads/backend_pools.hpp>
#include <lk/parallel/threads/slot_binding.hpp>
#include <lk/parallel/threads/task_scope.hpp>
#include <lk/parallel/threads/tbb_slots.hpp>

// The training arena: `threads` oneTBB slots and the one thread that works through them. Callers hand their work to
// that owner thread and wait. So only a thread of ours ever holds oneTBB for the library, and fork_gate can make it let
// go.

namespace lk::parallel::threads {

/// Threads: run() may be called from any thread; callers take turns. Work must not wait for another caller's work.
/// Fork: in a child every run() is in place, on one slot.
/// Lifetime: the owner thread starts with the first run() and ends with the arena.
class arena {
 public:
  /// n_threads slots; OpenMP called from them gets backend_threads (-1: left alone). `pools`: what has been found, and
  /// sized, so far; what is loaded later is found and sized at the beginning of a run(). `cpus` binds the helping
  /// threads.
  arena(int n_threads, int backend_threads, backend_pools pools = backend_pools::find(), slot_cpus cpus = {})
      : n_threads_(n_threads)
      , backend_threads_(backend_threads)
      , cpus_(std::move(cpus))
      , pools_(std::move(pools)) {}
  arena(const arena&) = delete;
  arena& operator=(const arena&) = delete;
  ~arena() {
    if (!owner_.joinable()) return;
    if (elsewhere()) {
      owner_.detach(); // a forked child has no such thread
    } else {
      hand_over({});
      owner_.join();
    }
  }

  int n_threads() const { return n_threads_; }

  /// Calls fn on the owner thread, inside the arena; or right here on a thread that is already at work for the library.
  /// Blocks: until earlier callers and fn have finished. Throws: what fn throws.
  void run(const std::function<void()>& fn) {
    if (inside_task() || on_owner()) return fn();
    if (elsewhere()) return run_alone(fn);
    const std::lock_guard turn(turn_);
    hand_over([&] {
      if (pools_.set_new(backend_threads_)) size_more_for_new_backends();
      if (!slots_) slots_.emplace(n_threads_, pools_, backend_threads_, cpus_);
      slots_->execute(fn);
    });
  }

  /// True on the owner thread: there all oneTBB algorithms are inside the arena already.
  bool on_owner() const { return std::this_thread::get_id() == owner_id_; }

  /// True in a forked child of the process that made the arena.
  bool elsewhere() const { return ::getpid() != home_; }

  /// The right to use the arena; empty while it is in use. No run() starts as long as it is held.
  std::unique_lock<std::mutex> try_to_close() { return std::unique_lock(turn_, std::try_to_lock); }

  /// Drops the slots, then calls fn on the owner thread, outside of oneTBB; does nothing where there is no owner yet.
  /// Only for the holder of try_to_close().
  void let_go(const std::function<void()>& fn) {
    if (!owner_.joinable()) return;
    hand_over([&] {
      slots_.reset();
      fn();
    });
  }

 private:
  static void run_alone(const std::function<void()>& fn) {
    oneapi::tbb::task_arena one(1);
    one.execute([&] { fn(); });
  }

  // Called by the holder of turn_ (or the destructor): gives the owner one job and waits for its end. An empty job ends
  // the owner.
  void hand_over(std::function<void()> job) {
    if (!owner_.joinable()) start_owner();
    std::unique_lock lock(mutex_);
    job_ = std::move(job);
    state_ = state::posted;
    changed_.notify_all();
    changed_.wait(lock, [&] { return state_ == state::done; });
    state_ = state::idle;
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  void start_owner() {
    std::unique_lock lock(mutex_); // until owner_id_ is set the owner takes no job
    owner_ = std::thread([this] { own(); });
    owner_id_ = owner_.get_id();
  }

  void own() {
    ::pthread_setname_np(::pthread_self(), config::training_thread_name);
    pools_.set_for_this_thread(backend_threads_);
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return state_ == state::posted; });
      const bool last = !job_;
      lock.unlock();
      if (last) slots_.reset();
      std::exception_ptr failure;
      try {
        if (!last) job_();
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      failure_ = failure;
      state_ = state::done;
      changed_.notify_all();
      if (last) return;
    }
  }

  void size_more_for_new_backends() {
    if (backend_threads_ >= 1) pools_.set_inter_op(n_threads_);
    slots_.reset(); // the helping threads come in anew, and so get their OpenMP count
  }

  enum class state { idle, posted, done };

  const int n_threads_;
  const int backend_threads_;
  const slot_cpus cpus_;
  const pid_t home_ = ::getpid();
  std::mutex turn_;  // held by the caller whose work is in progress
  std::mutex mutex_; // guards the four below
  std::condition_variable changed_;
  state state_ = state::idle;
  std::function<void()> job_;
  std::exception_ptr failure_;
  std::thread owner_;
  std::atomic<std::thread::id> owner_id_; // set once, by the first caller
  backend_pools pools_;                   // touched by the owner only, like the slots
  std::optional<tbb_slots> slots_;
};

} // namespace lk::parallel::threads
