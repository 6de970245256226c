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
#include <lk/parallel/base/handover.hpp>
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

  /// source_may_wait: for tasks that it has given; so each is with the threads before the source is asked for the next.
  /// Throws: resource_error where a thread cannot be made; what copying the function throws.
  thread_backend(Work work, std::uint64_t seed, std::uint64_t first_task, int n_threads, bool source_may_wait,
                 const make_crew& engage)
      : model_(work.model)
      , seed_(seed)
      , first_task_(first_task)
      , n_threads_(static_cast<std::size_t>(n_threads))
      , most_kept_(source_may_wait ? 1 : 4 * largest_share) {
    kept_.reserve(most_kept_);
    for (int worker = 0; worker < n_threads; ++worker) desks_.push_back(std::make_unique<desk>(*work.fn));
    crew_ = engage({.live = [this](int worker) { live(worker); },
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

  /// Once the queue is full there is none until half of it is done: threads that are faster than the consumer would
  /// else be woken for every few tasks.
  std::size_t room() override {
    const std::size_t held = n_submitted_ - n_handed_over_;
    const std::size_t depth = depth_now_.load(std::memory_order_relaxed) * n_threads_;
    const std::size_t most = is_filling_ ? depth : depth / 2 + 1;
    is_filling_ = held < most;
    return is_filling_ ? depth - held : 0;
  }

  void submit(Element element) override {
    kept_.push_back({first_task_ + n_submitted_, Arg(std::forward<Element>(element))});
    ++n_submitted_;
    if (kept_.size() >= most_kept_) flush();
  }

  void flush() override {
    if (kept_.empty()) return;
    std::size_t n_to_wake = 0;
    try {
      const std::lock_guard lock(mutex_);
      for (task& next : kept_) queue_.push_back(std::move(next));
      n_to_wake = std::min(n_idle_, kept_.size());
    } catch (...) { // tasks are lost, and their results would be waited for
      give_up(std::current_exception());
    }
    kept_.clear();
    for (; n_to_wake > 0; --n_to_wake) work_there_.notify_one();
  }

  void poll(result_buffer<result>& results) override {
    if (has_failed_.load(std::memory_order_relaxed)) {
      const std::lock_guard lock(mutex_);
      std::rethrow_exception(failure_);
    }
    for (const auto& one : desks_)
      one->done.take([&](finished&& it) {
        ++n_handed_over_;
        results.on_done(it.index, std::move(it.what), 0);
      });
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
    kept_.clear();
    queue_.clear();
    desks_.clear();
  }

 private:
  struct task {
    std::size_t index;
    Arg arg;
  };
  struct finished {
    finished(std::size_t i, outcome<result>&& o) : index(i), what(std::move(o)) {}
    std::size_t index;
    outcome<result> what;
  };
  using clock = std::chrono::steady_clock;
  static constexpr std::size_t largest_share = 256; ///< tasks that a thread takes at a time
  static constexpr std::size_t never = SIZE_MAX;

  /// What one thread has of its own, so that threads with small tasks do not stand in each other's way: its copy of the
  /// function, and what it has done and the consumer has not taken.
  class alignas(64) desk {
   public:
    explicit desk(const function& copied) : fn(copied) {}

    function fn;
    base::handover<finished> done;
    std::atomic<std::size_t> wake_at{never}; ///< how many there must be, of all time, that a consumer is to be woken
  };

  /// Until a thread has done as many tasks as wanted. A thread puts a result on its desk and looks at wake_at
  /// afterwards, here it is the other way round: one of the two sees the other (Dekker's argument, seq_cst).
  void sleep(std::unique_lock<std::mutex>& lock, std::size_t wanted, std::optional<std::chrono::nanoseconds> limit) {
    const auto is_awaited = [&] {
      bool is_there = interrupted_ || failure_;
      for (const auto& one : desks_) { // each time: a thread that comes late may have taken it back
        const std::size_t at = one->done.n_taken() + wanted;
        one->wake_at.store(at, std::memory_order_seq_cst);
        is_there = is_there || one->done.n_put() >= at;
      }
      return is_there;
    };
    if (limit)
      result_there_.wait_for(lock, *limit, is_awaited);
    else
      result_there_.wait(lock, is_awaited);
    wake_nobody();
  }

  /// Requires mutex_.
  void wake_nobody() {
    for (const auto& one : desks_) one->wake_at.store(never, std::memory_order_relaxed);
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

  void live(int worker) {
    try {
      run_tasks(worker);
    } catch (...) { // moving an argument threw, or memory ran out
      give_up(std::current_exception());
    }
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
      depth_now_.store(depth_.get(), std::memory_order_relaxed);
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
    // A 64th of its queue is no time to speak of: with less, threads with small tasks would queue for the lock. But no
    // more than what is left for each: small tasks may be followed by large ones, or by some that wait for each other.
    const std::size_t left_for_each = (queue_.size() + n_threads_ - 1) / n_threads_;
    const std::size_t least = std::min(left_for_each, std::max<std::size_t>(depth_.get() / 64, 1));
    const std::size_t share = std::clamp(queue_.size() / (2 * n_threads_), least, largest_share);
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
    desk& mine = *desks_[static_cast<std::size_t>(worker)];
    if (mine.done.put(index, std::move(what)) < mine.wake_at.load(std::memory_order_seq_cst)) return;
    {
      const std::lock_guard lock(mutex_); // the consumer has gone to sleep by now
      wake_nobody();                      // it is told once
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

  std::atomic<std::size_t> depth_now_{depth_.get()};
  std::atomic<bool> has_failed_{false}; ///< there is a failure_
  std::vector<std::unique_ptr<desk>> desks_;

  // The consumer's own.
  const std::size_t most_kept_;
  std::vector<task> kept_; ///< tasks that the threads do not have yet
  std::size_t n_submitted_ = 0, n_handed_over_ = 0;
  bool is_filling_ = true; ///< until there is no room any more

  std::atomic<std::size_t> n_running_{0};
  std::atomic<std::uint64_t> first_live_{0};
  std::unique_ptr<crew> crew_; // last: joined before the rest is destroyed
};

} // namespace lk::parallel::backends
