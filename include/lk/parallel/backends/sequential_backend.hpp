// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include <lk/parallel/backends/backend.hpp>
#include <lk/parallel/backends/in_process.hpp>
#include <lk/parallel/backends/task_context.hpp>
#include <lk/parallel/backends/work.hpp>
#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/threads/task_scope.hpp>
#include <lk/parallel/wire/error_of_task.hpp>

// Runs each task in the consumer's thread, at the moment its result is asked for.

namespace lk::parallel::backends {

/// Lifetime: work and budget outlive it. Without a budget (inside a task) it runs under the one already in force.
template <class Work, class Arg, class Element>
class sequential_backend final
    : public backend<Element, function_result_t<typename Work::function_type, typename Work::model_type, Arg>> {
 public:
  using result = function_result_t<typename Work::function_type, typename Work::model_type, Arg>;

  sequential_backend(Work work, std::uint64_t seed, std::uint64_t first_task, task_budget* budget)
      : work_(work)
      , seed_(seed)
      , budget_(budget)
      , next_index_(first_task) {}

  std::size_t room() override { return pending_ ? 0 : 1; }
  void flush() override {}
  void submit(Element element) override { pending_.emplace(std::forward<Element>(element)); }
  void wait(const base::deadline&) override {}
  void interrupt() override { first_live_.store(UINT64_MAX, std::memory_order_relaxed); }
  std::size_t n_running() const override { return pending_ ? 1 : 0; }
  void end() override {
    pending_.reset();
    if (budget_) budget_->rest();
  }

  void poll(result_buffer<result>& results) override {
    if (!pending_) return;
    Arg arg = std::move(*pending_);
    pending_.reset();
    const std::size_t index = next_index_++;
    std::optional<outcome<result>> done;
    const auto work = [&] { done.emplace(run(index, std::move(arg))); };
    if (budget_)
      budget_->run(std::ref(work)); // a std::function of more than a reference would allocate
    else
      work();
    results.on_done(index, std::move(*done), 0);
  }

 private:
  outcome<result> run(std::size_t index, Arg&& arg) {
    const threads::task_scope inside;
    task_context context(index, seed_, 1, 0, {&first_live_, index});
    try {
      return outcome<result>(work_.template call<Arg>(std::move(arg), context));
    } catch (...) {
      return outcome<result>::failed(wire::error_of_task(std::current_exception(), index, 0, task_stage::call));
    }
  }

  Work work_;
  std::uint64_t seed_;
  task_budget* budget_;
  std::optional<Arg> pending_;
  std::size_t next_index_;
  std::atomic<std::uint64_t> first_live_{0};
};

} // namespace lk::parallel::backends
