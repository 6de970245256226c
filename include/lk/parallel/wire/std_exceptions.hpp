// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <ios>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

#include <lk/parallel/base/error.hpp>

// The exception types that one process can throw again for another: which of them an exception is, and one of that
// kind made anew with the same what(). Used by failure.hpp alone.

namespace lk::parallel::wire {

/// Nearest type that can be made again, the most derived first. The numbers travel.
enum class std_kind : std::uint8_t {
  none,
  wire_error,
  usage_error,
  error,
  range_error,
  overflow_error,
  underflow_error,
  system_error,
  runtime_error,
  out_of_range,
  invalid_argument,
  domain_error,
  length_error,
  logic_error,
  bad_alloc,
  bad_cast,
  bad_typeid,
  bad_function_call,
  bad_optional_access,
  bad_variant_access,
  bad_weak_ptr,
  bad_exception,
  exception
};

/// A standard exception whose what() is not ours to choose, made to say what the original said.
template <class Base> class retold : public Base {
 public:
  template <class... Args>
  explicit retold(std::string text, Args&&... args) : Base(std::forward<Args>(args)...)
                                                    , text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

inline const std::error_category& category_named(const std::string& name) {
  if (name == std::system_category().name()) return std::system_category();
  if (name == std::iostream_category().name()) return std::iostream_category();
  return std::generic_category();
}

template <class... Ts> struct kinds {};
/// The types in the order of std_kind, from wire_error on.
using all_kinds =
    kinds<wire_error, usage_error, error, std::range_error, std::overflow_error, std::underflow_error,
          std::system_error, std::runtime_error, std::out_of_range, std::invalid_argument, std::domain_error,
          std::length_error, std::logic_error, std::bad_alloc, std::bad_cast, std::bad_typeid, std::bad_function_call,
          std::bad_optional_access, std::bad_variant_access, std::bad_weak_ptr, std::bad_exception, std::exception>;

template <class T> bool is_a(const std::exception& thrown) {
  if constexpr (std::is_same_v<T, std::exception>)
    return true;
  else
    return dynamic_cast<const T*>(&thrown) != nullptr;
}

template <class... Ts> std_kind kind_of(const std::exception& thrown, kinds<Ts...>) {
  unsigned found = 0;
  unsigned number = 0;
  ((++number, found == 0 && is_a<Ts>(thrown) ? found = number : 0U), ...);
  return static_cast<std_kind>(found);
}

inline void classify(const std::exception& thrown, std_kind& kind, std::int32_t& code, std::string& category) {
  kind = kind_of(thrown, all_kinds{});
  if (const auto* with_code = dynamic_cast<const std::system_error*>(&thrown)) {
    code = with_code->code().value();
    category = with_code->code().category().name();
  }
}

/// Hands put an exception of type T that says `message`.
template <class T, class Put>
void make_kind(const std::string& message, std::int32_t code, const std::string& category, Put&& put) {
  if constexpr (std::is_same_v<T, std::system_error>) {
    put(retold<T>(message, std::error_code(code, category_named(category))));
  } else if constexpr (std::is_constructible_v<T, const std::string&>) {
    put(T(message));
  } else if (message == T().what()) {
    put(T());
  } else {
    put(retold<T>(message));
  }
}

template <class Put, class... Ts>
void make_nth_kind(std_kind kind, const std::string& message, std::int32_t code, const std::string& category, Put&& put,
                   kinds<Ts...>) {
  unsigned number = 0;
  ((++number == static_cast<unsigned>(kind) ? make_kind<Ts>(message, code, category, put) : void()), ...);
}

/// Hands put an exception of that kind, which it throws. Returns where the kind is none, or not one that is known.
template <class Put>
void throw_kind(std_kind kind, const std::string& message, std::int32_t code, const std::string& category, Put&& put) {
  make_nth_kind(kind, message, code, category, std::forward<Put>(put), all_kinds{});
}

} // namespace lk::parallel::wire
