// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>

#include <lk/parallel/backends/process_backend.hpp>
#include <lk/parallel/backends/result_range.hpp>
#include <lk/parallel/backends/result_stream.hpp>
#include <lk/parallel/backends/sequential_backend.hpp>
#include <lk/parallel/backends/task_context.hpp>
#include <lk/parallel/backends/thread_backend.hpp>
#include <lk/parallel/backends/work.hpp>
#include <lk/parallel/codec.hpp>
#include <lk/parallel/invoker_options.hpp>
#include <lk/parallel/wire/require.hpp>
#include <lk/parallel/worker_pool.hpp>

// The invoker: applies a function of one model to a stream of arguments, in worker processes, threads or in place, and
// streams the results back.

namespace lk::parallel {

/// Applies `fn(const Model&, argument)` or `fn(const Model&, argument, task_context&)` to many arguments. An lvalue
/// model is referred to, an rvalue model is owned. Worker processes are forked when the invoker is made: they see model
/// and function as they are then, without a copy. Each worker has its own copy of fn and may call it as non-const, so a
/// mutable function object is per-worker scratch state.
/// Threads: one at a time. Fork: in a forked child only the destructor may be called.
/// Lifetime: the destructor leaves no process, no memory and no descriptor.
/// Source: lenskit.parallel.invoker, lenskit.parallel.ModelOpInvoker.
template <class Model, class Fn, bool NeedsCodecs = true> class invoker {
  using model_type = std::remove_cvref_t<Model>;
  using work_type = backends::work<model_type, Fn>;

 public:
  /// Forks the workers, unless they are to be threads or the caller itself.
  /// Blocks: until the worker processes can be forked, typically the time of one fork.
  /// Throws: config_error (an option makes no sense), resource_error (the system refuses a process or memory).
  invoker(Model&& model, Fn fn, invoker_options options = {}) requires NeedsCodecs
      : core_(std::make_unique<core>(std::forward<Model>(model), std::move(fn), std::move(options))) {}
  /// Never forks; argument and result types need no codec.
  invoker(in_process_t, Model&& model, Fn fn, invoker_options options = {}) requires(!NeedsCodecs)
      : core_(std::make_unique<core>(std::forward<Model>(model), std::move(fn), std::move(options))) {}

  /// The results in the order of the arguments. The input is read as results are taken: it may be infinite. Nothing
  /// runs before begin() of the range.
  /// Throws: usage_error (another map is in progress; shut down). From the range: task_error, worker_lost, cancelled,
  /// what the input's iterator throws; the range is at its end then, and the invoker usable.
  template <std::ranges::viewable_range Range> auto map(Range&& arguments) & {
    using result = typename decltype(result_of<Range>())::type;
    return result_range<result>(start<result>(std::views::all(std::forward<Range>(arguments)), true));
  }
  /// The results as they come, as indexed_result.
  template <std::ranges::viewable_range Range> auto map_unordered(Range&& arguments) & {
    using result = typename decltype(result_of<Range>())::type;
    return indexed_result_range<result>(start<result>(std::views::all(std::forward<Range>(arguments)), false));
  }
  /// In order, results and errors alike as `outcome`: the way to go on after errors.
  template <std::ranges::viewable_range Range> auto map_outcomes(Range&& arguments) & {
    using result = typename decltype(result_of<Range>())::type;
    return outcome_range<result>(start<result>(std::views::all(std::forward<Range>(arguments)), true));
  }

  template <class Range> auto map(Range&&) && { refuse_temporary<Range>(); }
  template <class Range> auto map_unordered(Range&&) && { refuse_temporary<Range>(); }
  template <class Range> auto map_outcomes(Range&&) && { refuse_temporary<Range>(); }

  /// Ends a map in progress and the workers. Later maps are usage errors.
  /// Throws: usage_error from inside a map: in the input's iterator, a progress display, a log sink.
  void shutdown() {
    if (!core_) return;
    core_->pool->require_outside_map();
    core_->shut_down();
  }

  /// Where it runs, and what it and its workers have done so far. Throws: usage_error after a move.
  invoker_stats stats() const { return checked().pool->stats(); }

 private:
  /// What stays where it is when the invoker is moved: the workers have inherited its address.
  struct core {
    core(Model&& m, Fn f, invoker_options o)
        : model(std::forward<Model>(m))
        , fn(std::move(f))
        , work{std::addressof(model), &fn}
        , pool(front::make_worker_pool(std::move(o), NeedsCodecs, &work)) {}
    ~core() { shut_down(); }

    void shut_down() noexcept {
      pool->close_map();
      pool->shut_down();
    }

    Model model;
    Fn fn;
    work_type work;
    const std::unique_ptr<front::worker_pool> pool;
  };

  template <class Range> static consteval auto result_of() {
    using argument = std::ranges::range_value_t<Range>;
    constexpr bool callable = backends::task_function<Fn, model_type, argument>;
    static_assert(callable,
                  "lk::parallel::invoker: the function cannot be called as fn(const Model&, argument) or fn(const "
                  "Model&, argument, task_context&) with the range's value type as an rvalue argument");
    if constexpr (callable) {
      using result = backends::function_result_t<Fn, model_type, argument>;
      static_assert(!std::is_reference_v<result>,
                    "lk::parallel::invoker: the function returns a reference; results are values: return a copy");
      return std::type_identity<std::remove_cvref_t<result>>();
    } else {
      return std::type_identity<void>();
    }
  }

  template <class Range> static void refuse_temporary() {
    static_assert(!std::is_same_v<Range, Range>,
                  "lk::parallel::invoker: map on a temporary invoker would leave the loop without its workers (C++20 "
                  "destroys the temporary before the first iteration): give the invoker a name");
  }

  core& checked() const {
    if (!core_) throw usage_error("this invoker was moved from; use the one it was moved to");
    return *core_;
  }

  template <class R, class View> std::unique_ptr<backends::result_stream<R>> start(View view, bool in_order) {
    using argument = std::ranges::range_value_t<View>;
    if constexpr (backends::task_function<Fn, model_type, argument>) { // else result_of has said it
      core& the = checked();
      the.pool->require_idle();
      return make_stream<R, argument>(the, std::move(view), the.pool->make_stream_options(in_order));
    } else {
      return nullptr;
    }
  }

  template <class R, class Arg, class View>
  static std::unique_ptr<backends::result_stream<R>> make_stream(core& the, View view,
                                                                 backends::stream_options options) {
    using element = std::ranges::range_reference_t<View>;
    if constexpr (NeedsCodecs) {
      wire::require_codable_argument<Arg>();
      wire::require_codable_result<R>();
    }
    if constexpr (!std::copy_constructible<Fn>) {
      if (the.pool->where() == execution::threads)
        throw usage_error("execution::threads gives each thread a copy of the function, and this one cannot be copied; "
                          "use execution::processes or execution::sequential");
    }
    return std::make_unique<backends::map_stream<View, R>>(std::move(view), std::move(options), [&the] {
      return make_backend<R, Arg, element>(the, backends::source_may_wait<View>);
    });
  }

  template <class R, class Arg, class Element>
  static std::unique_ptr<backends::backend<Element, R>> make_backend(core& the, bool source_may_wait) {
    front::worker_pool& pool = *the.pool;
    if constexpr (NeedsCodecs) {
      if (pool.where() == execution::processes)
        return std::make_unique<backends::process_backend<work_type, Arg, Element>>(pool.processes(), pool.seed(),
                                                                                    pool.first_task());
    }
    if constexpr (std::copy_constructible<Fn>) {
      if (pool.where() == execution::threads)
        return std::make_unique<backends::thread_backend<work_type, Arg, Element>>(
            the.work, pool.seed(), pool.first_task(), pool.n_workers(), source_may_wait,
            [&pool](backends::crew_work work) { return pool.make_crew(std::move(work)); });
    }
    return std::make_unique<backends::sequential_backend<work_type, Arg, Element>>(
        the.work, pool.seed(), pool.first_task(), pool.settle_in_place());
  }

  std::unique_ptr<core> core_;
};

template <class Model, class Fn> invoker(Model&&, Fn) -> invoker<Model, Fn>;
template <class Model, class Fn> invoker(Model&&, Fn, invoker_options) -> invoker<Model, Fn>;
template <class Model, class Fn> invoker(in_process_t, Model&&, Fn) -> invoker<Model, Fn, false>;
template <class Model, class Fn> invoker(in_process_t, Model&&, Fn, invoker_options) -> invoker<Model, Fn, false>;

} // namespace lk::parallel
