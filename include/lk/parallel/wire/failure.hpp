// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cxxabi.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/wire/error_of_task.hpp>
#include <lk/parallel/wire/std_codecs.hpp>
#include <lk/parallel/wire/std_exceptions.hpp>

// An exception as bytes and back. A worker describes what a task threw, the host throws it again as a task_error with
// the original nested: a type of the standard library as itself, a user's own type as its nearest standard base. It
// does not know about tasks, rings or workers; it is handed their numbers.

namespace lk::parallel::wire {

inline constexpr std::size_t max_message = std::size_t{64} << 10;
inline constexpr std::size_t max_failure_chain = 8;

/// What an exception said. Travels by the codec of aggregates.
struct failure {
  std::string type_name;          ///< demangled type of what was thrown
  std::string message;            ///< its what(), cut to 64 KiB; "(no message)" for what is no std::exception
  std_kind kind = std_kind::none; ///< nearest base that can be thrown again
  std::int32_t code = 0;          ///< error code, for kinds that have one
  std::string category;           ///< category of the code
  std::vector<failure> nested;    ///< what it was thrown from (std::nested_exception): none or one
};

/// The name as in the source, or as it was given where it is no mangled one.
inline std::string demangle(const char* mangled) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
  return name ? name.get() : mangled;
}

inline std::string demangle(const std::type_info* type) {
  return type == nullptr ? "(unknown type)" : demangle(type->name());
}

/// The name without what std::throw_with_nested wraps around a type.
inline std::string unwrapped(std::string name) {
  constexpr std::string_view wrapper = "std::_Nested_exception<";
  if (!name.starts_with(wrapper) || !name.ends_with('>')) return name;
  return name.substr(wrapper.size(), name.size() - wrapper.size() - 1);
}

/// At most 64 KiB of a text, not cut inside a UTF-8 sequence.
inline std::string shortened(const char* text) {
  if (text == nullptr) return "(no message)";
  std::size_t n = ::strnlen(text, max_message + 1);
  if (n > max_message) {
    n = max_message;
    while (n > max_message - 4 && (static_cast<unsigned char>(text[n]) & 0xC0U) == 0x80U) --n;
  }
  return {text, n};
}

inline failure describe_current(std::size_t room);

inline void describe_nested(const std::nested_exception* holder, failure& into, std::size_t room) {
  if (holder == nullptr || holder->nested_ptr() == nullptr || room == 0) return;
  try {
    std::rethrow_exception(holder->nested_ptr());
  } catch (...) {
    into.nested.push_back(describe_current(room - 1));
  }
}

/// The exception being handled, and at most `room` more that it was thrown from.
inline failure describe_current(std::size_t room) {
  failure found;
  found.type_name = unwrapped(demangle(abi::__cxa_current_exception_type()));
  try {
    throw;
  } catch (const std::exception& thrown) {
    found.message = shortened(thrown.what());
    classify(thrown, found.kind, found.code, found.category);
    describe_nested(dynamic_cast<const std::nested_exception*>(&thrown), found, room);
  } catch (const std::nested_exception& thrown) {
    found.message = "(no message)";
    describe_nested(&thrown, found, room);
  } catch (...) {
    found.message = "(no message)";
  }
  return found;
}

/// What `thrown` was. Where memory is too short even for the words, a failure that says only that.
inline failure describe(std::exception_ptr thrown) noexcept {
  try {
    if (thrown == nullptr) return {"(nothing)", "(no message)", std_kind::none, 0, {}, {}};
    try {
      std::rethrow_exception(std::move(thrown));
    } catch (...) {
      return describe_current(max_failure_chain - 1);
    }
  } catch (...) {
    failure bare; // short enough for std::string to keep without the heap
    bare.type_name = "std::bad_alloc";
    bare.message = "out of memory";
    bare.kind = std_kind::bad_alloc;
    return bare;
  }
}

inline void encode_failure(const failure& what, writer& out) { wire::encode(what, out); }
/// Throws: wire_error.
inline failure decode_failure(reader& in) { return wire::decode<failure>(in); }

/// Throws the exception that `what` describes, with its own originals nested. Returns where it was of no type that can
/// be thrown again (an int, a class outside the standard tree).
inline void throw_original(const failure& what, std::size_t room = max_failure_chain) {
  if (!what.nested.empty() && room > 1) {
    try {
      throw_original(what.nested.front(), room - 1);
    } catch (...) {
      throw_kind(what.kind, what.message, what.code, what.category,
                 [](auto&& original) { std::throw_with_nested(std::forward<decltype(original)>(original)); });
      throw; // of no standard type itself: what it was thrown from still is told
    }
  }
  throw_kind(what.kind, what.message, what.code, what.category, [](auto&& original) { throw std::move(original); });
}

/// Throws: task_error, with the originals nested.
[[noreturn, gnu::cold]] inline void throw_task_error(const failure& what, std::size_t task, int worker,
                                                     task_stage stage) {
  task_error error(task, what.type_name, what.message, worker, stage);
  try {
    throw_original(what);
  } catch (...) {
    std::throw_with_nested(std::move(error));
  }
  throw error;
}

/// The error that stands for an exception of a task.
inline std::exception_ptr error_of_task(const failure& what, std::size_t task, int worker, task_stage stage) {
  try {
    throw_task_error(what, task, worker, stage);
  } catch (...) {
    return std::current_exception();
  }
}

LK_PARALLEL_DEFINITION std::exception_ptr error_of_task(std::exception_ptr thrown, std::size_t task, int worker,
                                                        task_stage stage) {
  return error_of_task(describe(std::move(thrown)), task, worker, stage);
}

} // namespace lk::parallel::wire
