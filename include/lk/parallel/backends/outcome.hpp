// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <lk/parallel/base/error.hpp>

// What became of a task: its result, or the error that took its place. Public as the elements of map_outcomes and
// map_unordered.

namespace lk::parallel {

/// What stands for the result of a function that returns void.
template <class R> using result_value = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

/// A result or an error, in the manner of std::expected (C++23).
template <class R> class outcome {
 public:
  /// The result; std::monostate for void.
  using value_type = result_value<R>;

  /// The outcome of a task that succeeded.
  outcome(value_type value) : value_(std::in_place, std::move(value)) {}
  /// The outcome of a task that failed. Lifetime: shared. `error` holds an exception derived from lk::parallel::error.
  static outcome failed(std::exception_ptr error) { return outcome(failure_tag{}, std::move(error)); }

  /// Whether the task succeeded.
  bool has_value() const noexcept { return value_.has_value(); }
  /// has_value()
  explicit operator bool() const noexcept { return has_value(); }

  /// The result. Throws: the error, where there is one.
  value_type& value() & { return rethrow_error(), *value_; }
  /// The same.
  const value_type& value() const& { return rethrow_error(), *value_; }
  /// The same, to be moved from.
  value_type&& value() && { return rethrow_error(), std::move(*value_); }

  /// The error. Throws: usage_error where there is a value. Lifetime: as long as this object or exception().
  const lk::parallel::error& error() const& {
    if (has_value()) throw usage_error("outcome::error() was asked of a task that succeeded; ask has_value() first");
    try {
      std::rethrow_exception(exception());
    } catch (const lk::parallel::error& found) {
      return found; // lives in the exception object that exception() shares
    }
  }

  /// The error as an exception, or null.
  std::exception_ptr exception() const { return error_; }

 private:
  struct failure_tag {};
  outcome(failure_tag, std::exception_ptr error) : error_(std::move(error)) {}

  void rethrow_error() const {
    if (!has_value()) [[unlikely]]
      std::rethrow_exception(exception());
  }

  std::optional<value_type> value_; // not a variant of the two: its moves cost more than a small result
  std::exception_ptr error_;        ///< null where there is a value
};

/// A result with the position of its argument in the input.
template <class R> struct indexed_result {
  std::size_t index;     ///< from invoker_options::first_task on
  result_value<R> value; ///< what the function returned
};

} // namespace lk::parallel
