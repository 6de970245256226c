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
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <lk/parallel/backends/backend.hpp>
#include <lk/parallel/backends/in_process.hpp>
#include <lk/parallel/backends/task_context.hpp>
#include <lk/parallel/backends/work.hpp>
#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/queue_depth.hpp>
#include <lk/parallel/wire/error_of_task.hpp>

// Runs tasks on threads of its own that live as long as the map, each with its own copy of the function. Nothing is
// encoded. Where the threads come from is not its business.

namespace lk::parallel::backends {

template <class Work, class Arg, class Element>
class thread_backend final
    : public backend<Element, function_result_t<typename Work::function_type, typename Work::model_type, Arg>> {
 public:
  using function = typename Work::function_type;
  using result = function_result_t<function, typename Work::model_type, Arg>;

  /// Throws: resource_error where a thread cannot be made; what copying the function throws.
  thread_backend(Work work, std::uint64_t seed, std::uint64_t first_task, int n_threads, const make_crew& engage)
      : model_(work.model)
      , seed_(seed)
      , first_task_(first_task)
      , n_threads_(static_cast<std::size_t>(n_threads)) {
    for (int worker = 0; worker < n_threads; ++worker) desks_.push_back(std::make_unique<desk>(*work.fn));
    crew_ = engage({.live = [this](int worker) { run_tasks(worker); },
                    .give_up = [this](std::exception_ptr lost) { give_up(std::move(lost)); }});
    try {
      crew_->start();
    } catch (...) {
      end(); // those that were made wait for work
      throw;
    }
  }
  ~thread_backend() override { end(); }
  thread_backend(const thread_backend&) = delete;
  thread_backend& operator=(const thread_backend&) = delete;

  std::size_t room() override {
    const std::size_t held = n_submitted_ - n_handed_over_;
    const std::lock_guard lock(mutex_);
    return std::max(held, depth_.get() * n_threads_) - held;
  }

  /// The task is with the threads at once: the source may wait for it.
  void submit(Element element) override {
    Arg arg(std::forward<Element>(element)); // under no lock: it is the user's code
    bool is_any_idle = false;
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back({first_task_ + n_submitted_, std::move(arg)});
      is_any_idle = n_idle_ > 0;
    }
    ++n_submitted_;
    if (is_any_idle) work_there_.notify_one();
  }
  void flush() override {}

  void poll(result_buffer<result>& results) override {
    if (has_failed_.load(std::memory_order_relaxed)) {
      const std::lock_guard lock(mutex_);
      std::rethrow_exception(failure_);
    }
    for (const auto& one : desks_) {
      if (one->n.load(std::memory_order_relaxed) == 0) continue;
      one->swap(handed_over_);
      n_handed_over_ += handed_over_.size();
      for (auto& [index, what] : handed_over_) results.on_done(index, std::move(what), 0);
      handed_over_.clear();
    }
  }

  /// For a moment until a thread has done half of what it has, so that the consumer is not woken for each result; then
  /// until any thread has done anything.
  void wait(const base::deadline& limit) override {
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

  void interrupt() override {
    {
      const std::lock_guard lock(mutex_);
      interrupted_ = true;
    }
    result_there_.notify_one();
  }

  std::size_t n_running() const override { return n_running_.load(std::memory_order_relaxed); }

  /// Blocks: until the tasks that run have ended; they see stop_requested().
  void end() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      queue_.clear();
    }
    first_live_.store(UINT64_MAX, std::memory_order_relaxed);
    work_there_.notify_all();
    crew_.reset();
    // A range may be kept long after its end: nothing of the user's is to live in it.
    queue_.clear();
    handed_over_.clear();
    desks_.clear();
  }

 private:
  struct task {
    std::size_t index;
    Arg arg;
  };
  using clock = std::chrono::steady_clock;
  /// What may be the index and the outcome of each. A deque: growing moves no result, which may throw.
  using outcomes = std::deque<std::pair<std::size_t, outcome<result>>>;

  /// What one thread has of its own, so that threads with small tasks do not stand in each other's way: its copy of the
  /// function, and what it has done and the consumer has not taken.
  class alignas(64) desk {
   public:
    explicit desk(const function& copied) : fn(copied) {}

    function fn;
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

  /// Until a thread has done as many tasks as wanted. A thread puts a result under its desk's lock and looks at
  /// wanted_ afterwards; here wanted_ is set before those locks are taken. So one of the two sees the other.
  void sleep(std::unique_lock<std::mutex>& lock, std::size_t wanted, std::optional<std::chrono::nanoseconds> limit) {
    const auto is_awaited = [&] {
      wanted_.store(wanted, std::memory_order_relaxed); // each time: a thread that comes late may have taken it back
      return interrupted_ || failure_ ||
             std::any_of(desks_.begin(), desks_.end(), [&](const auto& one) { return one->size() >= wanted; });
    };
    if (limit)
      result_there_.wait_for(lock, *limit, is_awaited);
    else
      result_there_.wait(lock, is_awaited);
    wanted_.store(nothing, std::memory_order_relaxed);
  }

  /// This worker cannot go on, and so the map cannot.
  void give_up(std::exception_ptr lost) {
    {
      const std::lock_guard lock(mutex_);
      failure_ = std::move(lost);
      has_failed_.store(true, std::memory_order_relaxed);
    }
    result_there_.notify_one();
  }

  void run_tasks(int worker) {
    function& fn = desks_[static_cast<std::size_t>(worker)]->fn;
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
      return outcome<result>::failed(
          wire::error_of_task(std::current_exception(), next.index, worker, task_stage::call));
    }
  }

  /// Whatever happens on the way, the task comes back.
  void finish(int worker, function& fn, task& next) {
    try {
      deliver(worker, next.index, run(worker, fn, next));
    } catch (...) { // moving the result threw
      deliver(
          worker, next.index,
          outcome<result>::failed(wire::error_of_task(std::current_exception(), next.index, worker, task_stage::call)));
    }
  }

  void deliver(int worker, std::size_t index, outcome<result>&& what) {
    const std::size_t n = desks_[static_cast<std::size_t>(worker)]->put(index, std::move(what));
    if (n < wanted_.load(std::memory_order_relaxed)) return;
    {
      const std::lock_guard lock(mutex_);                // the consumer has gone to sleep by now
      wanted_.store(nothing, std::memory_order_relaxed); // told once
    }
    result_there_.notify_one();
  }

  const typename Work::model_type* model_;
  std::uint64_t seed_;
  std::uint64_t first_task_;
  std::size_t n_threads_;

  std::mutex mutex_; // guards what follows, up to the blank line
  std::condition_variable work_there_, result_there_;
  std::deque<task> queue_;
  std::size_t n_idle_ = 0; ///< threads that wait for work
  std::exception_ptr failure_;
  base::queue_depth depth_;
  bool ending_ = false;
  bool interrupted_ = false;

  static constexpr std::size_t nothing = SIZE_MAX;
  std::atomic<std::size_t> wanted_{nothing}; ///< by a consumer that sleeps: results on one desk
  std::atomic<bool> has_failed_{false};      ///< there is a failure_
  std::vector<std::unique_ptr<desk>> desks_;

  outcomes handed_over_; // the consumer's own, as the next two
  std::size_t n_submitted_ = 0, n_handed_over_ = 0;
  std::atomic<std::size_t> n_running_{0};
  std::atomic<std::uint64_t> first_live_{0};
  std::unique_ptr<crew> crew_; // last: joined before the rest is destroyed
};

} // namespace lk::parallel::backends
