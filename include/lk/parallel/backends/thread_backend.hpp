// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <lk/parallel/backends/backend.hpp>
#include <lk/parallel/backends/task_context.hpp>
#include <lk/parallel/backends/work.hpp>
#include <lk/parallel/base/affinity.hpp>
#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/base/queue_depth.hpp>
#include <lk/parallel/config/placement.hpp>
#include <lk/parallel/process/loss.hpp>
#include <lk/parallel/threads/backend_pools.hpp>
#include <lk/parallel/threads/thread_budget.hpp>

// Runs tasks on threads of its own that live as long as the map, each with its own copy of the function. Nothing is
// encoded. Threads that end with the map leave oneTBB free to be quiesced when somebody forks.

namespace lk::parallel::backends {

template <class Work, class Arg> class thread_backend {
 public:
  using function = typename Work::function_type;
  using result = function_result_t<function, typename Work::model_type, Arg>;

  /// Each thread takes its place first of all, if there are places. Throws: resource_error where a thread cannot be
  /// made.
  thread_backend(Work work, std::uint64_t seed, int n_threads, int child_threads, std::function<void(int)> worker_init,
                 std::vector<config::worker_place> places = {})
      : model_(work.model)
      , seed_(seed)
      , n_threads_(static_cast<std::size_t>(n_threads))
      , child_threads_(child_threads)
      , worker_init_(std::move(worker_init))
      , places_(std::move(places))
      , finished_by_(n_threads_) {
    try {
      for (int worker = 0; worker < n_threads; ++worker)
        threads_.emplace_back([this, worker, fn = *work.fn]() mutable { live(worker, fn); });
    } catch (const std::system_error& no_thread) {
      end(); // those that were made wait for work
      throw resource_error("pthread_create", no_thread.code().value(), base::remedy_for_processes);
    } catch (...) {
      end();
      throw;
    }
  }
  ~thread_backend() { end(); }
  thread_backend(const thread_backend&) = delete;
  thread_backend& operator=(const thread_backend&) = delete;

  bool has_room() {
    const std::size_t held = n_submitted_ - n_handed_over_;
    if (held < room_) return true;
    const std::lock_guard lock(mutex_);
    room_ = depth_.get() * n_threads_;
    return held < room_;
  }

  /// The task is with the threads at once: the source may wait for it.
  void submit(Arg arg) {
    bool is_any_idle = false;
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back({n_submitted_, std::move(arg)});
      is_any_idle = n_idle_ > 0;
    }
    ++n_submitted_;
    if (is_any_idle) work_there_.notify_one();
  }
  void flush() {}

  void poll(completion_sink<result>& sink) {
    if (has_failed_.load(std::memory_order_relaxed)) {
      const std::lock_guard lock(mutex_);
      process::throw_init_failed(init_failure_->first, init_failure_->second);
    }
    for (outbox& one : finished_by_) {
      if (one.n.load(std::memory_order_relaxed) == 0) continue;
      one.swap(handed_over_);
      n_handed_over_ += handed_over_.size();
      for (auto& [index, what] : handed_over_) sink.on_done(index, std::move(what), 0);
      handed_over_.clear();
    }
  }

  /// For a moment until a thread has done half of what it has, so that the consumer is not woken for each result; then
  /// until any thread has done anything.
  void wait(const base::deadline& limit) {
    constexpr auto moment = std::chrono::milliseconds(1);
    const std::size_t half = (n_submitted_ - n_handed_over_) / 2 / n_threads_;
    std::unique_lock lock(mutex_);
    if (half > 1) {
      const auto first = limit.is_never() ? moment : std::min<std::chrono::nanoseconds>(moment, limit.left());
      sleep(lock, half, first);
    }
    sleep(lock, 1, limit.is_never() ? std::nullopt : std::optional(limit.left()));
    interrupted_ = false;
  }

  void interrupt() {
    {
      const std::lock_guard lock(mutex_);
      interrupted_ = true;
    }
    result_there_.notify_one();
  }

  std::size_t n_running() const { return n_running_.load(std::memory_order_relaxed); }

  /// Blocks: until the tasks that run have ended; they see stop_requested().
  void end() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      queue_.clear();
    }
    first_live_.store(UINT64_MAX, std::memory_order_relaxed);
    work_there_.notify_all();
    threads_.clear();
  }

 private:
  struct task {
    std::size_t index;
    Arg arg;
  };
  using clock = std::chrono::steady_clock;
  /// What may be the index and the outcome of each. A deque: growing moves no result, which may throw.
  using outcomes = std::deque<std::pair<std::size_t, outcome<result>>>;

  /// What one thread has done and the consumer has not taken. Each has its own, so that threads with small tasks do not
  /// stand in each other's way.
  class alignas(64) outbox {
   public:
    std::atomic<std::size_t> n{0}; ///< a hint

    std::size_t put(std::size_t index, outcome<result>&& what) {
      const std::lock_guard lock(mutex_);
      all_.emplace_back(index, std::move(what));
      n.store(all_.size(), std::memory_order_relaxed);
      return all_.size();
    }
    void swap(outcomes& other) {
      const std::lock_guard lock(mutex_);
      all_.swap(other);
      n.store(all_.size(), std::memory_order_relaxed);
    }
    std::size_t size() {
      const std::lock_guard lock(mutex_);
      return all_.size();
    }

   private:
    std::mutex mutex_;
    outcomes all_;
  };

  /// Until a thread has done as many tasks as wanted. A thread puts a result under its outbox's lock and looks at
  /// wanted_ afterwards; here wanted_ is set before those locks are taken. So one of the two sees the other.
  void sleep(std::unique_lock<std::mutex>& lock, std::size_t wanted, std::optional<std::chrono::nanoseconds> limit) {
    const auto is_awaited = [&] {
      wanted_.store(wanted, std::memory_order_relaxed); // each time: a thread that comes late may have taken it back
      return interrupted_ || init_failure_ ||
             std::any_of(finished_by_.begin(), finished_by_.end(), [&](outbox& one) { return one.size() >= wanted; });
    };
    if (limit)
      result_there_.wait_for(lock, *limit, is_awaited);
    else
      result_there_.wait(lock, is_awaited);
    wanted_.store(nothing, std::memory_order_relaxed);
  }

  void live(int worker, function& fn) {
    try {
      threads::thread_budget budget(child_threads_, true, backends_, settle(worker));
      budget.run([&] {
        if (initialise(worker)) run_tasks(worker, fn);
      });
    } catch (...) {
      give_up(worker, std::current_exception());
    }
  }

  /// Binds this thread, which ends with the map; hands back what its oneTBB helpers are to be bound to. Those return to
  /// the mask that the consumer had: they live on.
  threads::slot_cpus settle(int worker) const {
    if (places_.empty()) return {};
    const config::worker_place& place = places_[static_cast<std::size_t>(worker)];
    base::cpu_list everywhere = base::affinity_of(0); // this thread has it from the one that made it
    config::take_place(place);
    return {place.threads, std::move(everywhere)};
  }

  bool initialise(int worker) {
    try {
      if (worker_init_) worker_init_(worker);
      return true;
    } catch (...) {
      give_up(worker, std::current_exception());
      return false;
    }
  }

  /// This worker cannot go on, and so the map cannot.
  void give_up(int worker, std::exception_ptr why) {
    const auto what = wire::describe(std::move(why));
    {
      const std::lock_guard lock(mutex_);
      init_failure_.emplace(worker, what.type_name + ": " + what.message);
      has_failed_.store(true, std::memory_order_relaxed);
    }
    result_there_.notify_one();
  }

  void run_tasks(int worker, function& fn) {
    std::vector<task> batch;
    while (take(batch)) {
      n_running_.fetch_add(1, std::memory_order_relaxed);
      const auto begin = clock::now();
      for (task& next : batch) {
        if (first_live_.load(std::memory_order_relaxed) != 0) break;
        finish(worker, fn, next);
      }
      const auto busy = clock::now() - begin;
      n_running_.fetch_sub(1, std::memory_order_relaxed);
      const std::lock_guard lock(mutex_);
      depth_.learn(batch.size(), static_cast<std::uint64_t>(busy.count()));
    }
  }

  /// Blocks: until there are tasks or the map ends (false). Takes a fair share of what is queued, so that small tasks
  /// do not pay for a lock each.
  bool take(std::vector<task>& batch) {
    batch.clear();
    std::unique_lock lock(mutex_);
    ++n_idle_;
    work_there_.wait(lock, [&] { return !queue_.empty() || ending_; });
    --n_idle_;
    if (ending_) return false;
    constexpr std::size_t largest_share = 256;
    const std::size_t share = std::clamp<std::size_t>(queue_.size() / (2 * n_threads_), 1, largest_share);
    for (std::size_t i = 0; i < share; ++i) {
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    return true;
  }

  outcome<result> run(int worker, function& fn, task& next) {
    task_context context(next.index, seed_, 1, worker, {&first_live_, next.index});
    try {
      return outcome<result>(
          work<typename Work::model_type, function>{model_, &fn}.template call<Arg>(std::move(next.arg), context));
    } catch (...) {
      return outcome<result>::failed(error_of_task(std::current_exception(), next.index, worker, task_stage::call));
    }
  }

  /// Whatever happens on the way, the task comes back.
  void finish(int worker, function& fn, task& next) {
    try {
      deliver(worker, next.index, run(worker, fn, next));
    } catch (...) { // moving the result threw
      deliver(worker, next.index,
              outcome<result>::failed(error_of_task(std::current_exception(), next.index, worker, task_stage::call)));
    }
  }

  void deliver(int worker, std::size_t index, outcome<result>&& what) {
    const std::size_t n = finished_by_[static_cast<std::size_t>(worker)].put(index, std::move(what));
    if (n < wanted_.load(std::memory_order_relaxed)) return;
    {
      const std::lock_guard lock(mutex_);                // the consumer has gone to sleep by now
      wanted_.store(nothing, std::memory_order_relaxed); // told once
    }
    result_there_.notify_one();
  }

  const typename Work::model_type* model_;
  std::uint64_t seed_;
  std::size_t n_threads_;
  int child_threads_;
  std::function<void(int)> worker_init_;
  std::vector<config::worker_place> places_;
  const threads::backend_pools backends_ = threads::backend_pools::find(); // on the consumer's thread, once for all

  std::mutex mutex_; // guards what follows, up to the blank line
  std::condition_variable work_there_, result_there_;
  std::deque<task> queue_;
  std::size_t n_idle_ = 0; ///< threads that wait for work
  std::optional<std::pair<int, std::string>> init_failure_;
  base::queue_depth depth_;
  bool ending_ = false;
  bool interrupted_ = false;

  static constexpr std::size_t nothing = SIZE_MAX;
  std::atomic<std::size_t> wanted_{nothing}; ///< by a consumer that sleeps: results in one outbox
  std::atomic<bool> has_failed_{false};      ///< there is an init_failure_
  std::vector<outbox> finished_by_;

  outcomes handed_over_; // the consumer's own, as the next three
  std::size_t n_submitted_ = 0, n_handed_over_ = 0;
  std::size_t room_ = 0;
  std::atomic<std::size_t> n_running_{0};
  std::atomic<std::uint64_t> first_live_{0};
  std::vector<std::jthread> threads_; // last: joined before the rest is destroyed
};

} // namespace lk::parallel::backends
