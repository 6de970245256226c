// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include <lk/parallel/backends/outcome.hpp>
#include <lk/parallel/backends/task_context.hpp>

// A function of a model and an argument, with or without a task_context, called alike from every back end.

namespace lk::parallel::backends {

template <class Fn, class Model, class Arg>
concept takes_context = std::invocable<Fn&, const Model&, Arg, task_context&>;

template <class Fn, class Model, class Arg>
concept task_function = takes_context<Fn, Model, Arg> || std::invocable<Fn&, const Model&, Arg>;

template <class Fn, class Model, class Arg> struct function_result : std::invoke_result<Fn&, const Model&, Arg> {};
template <class Fn, class Model, class Arg>
requires takes_context<Fn, Model, Arg>
struct function_result<Fn, Model, Arg> : std::invoke_result<Fn&, const Model&, Arg, task_context&> {
};

/// What the function returns for this argument: a value type or void.
template <class Fn, class Model, class Arg>
using function_result_t = std::remove_cv_t<typename function_result<Fn, Model, Arg>::type>;

/// The model and the function as one worker sees them. Lifetime: refers to both.
template <class ModelType, class FnType> struct work {
  using model_type = ModelType;
  using function_type = FnType;

  const ModelType* model;
  FnType* fn;

  template <class Arg> result_value<function_result_t<FnType, ModelType, Arg>> call(Arg&& arg, task_context& context) {
    using result = function_result_t<FnType, ModelType, Arg>;
    const auto invoke = [&]() -> decltype(auto) {
      if constexpr (takes_context<FnType, ModelType, Arg>)
        return std::invoke(*fn, *model, std::forward<Arg>(arg), context);
      else
        return std::invoke(*fn, *model, std::forward<Arg>(arg));
    };
    if constexpr (std::is_void_v<result>)
      return invoke(), std::monostate{};
    else
      return invoke();
  }
};

} // namespace lk::parallel::backends
