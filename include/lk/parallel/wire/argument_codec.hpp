// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <lk/parallel/wire/codec.hpp>
#include <lk/parallel/wire/std_codecs.hpp>

// A whole argument of a task. Unlike a codec it may keep what it decoded apart from what it passes on: a string_view or
// span arrives as a string or vector which is stored until the call is over. The back ends use it; results use codec.

namespace lk::parallel::wire {

/// Lifetime: what pass hands out refers to the stored object, which the caller keeps until the task's function returns.
template <class T> struct argument_codec {
  using stored = T;
  static void encode(const T& value, writer& out) { wire::encode(value, out); }
  static stored decode(reader& in) { return wire::decode<T>(in); }
  static T&& pass(stored& value) noexcept { return std::move(value); }
};

template <class T> struct argument_codec<const T> : argument_codec<T> {};

/// An argument that travels as its bytes and nothing else, and as few as are worth to be sent many at a time.
template <class T>
concept short_argument = std::is_same_v<typename argument_codec<T>::stored, std::remove_cv_t<T>> && is_flat<T>() &&
                         !std::is_empty_v<T> &&
                         sizeof(T) <= 64;

template <class C, class Traits> struct argument_codec<std::basic_string_view<C, Traits>> {
  using view = std::basic_string_view<C, Traits>;
  using stored = std::basic_string<C, Traits>;
  static void encode(const view& text, writer& out) {
    out.put_length(text.size());
    out.write(text.data(), text.size() * sizeof(C));
  }
  static stored decode(reader& in) { return wire::decode<stored>(in); }
  static view pass(stored& text) noexcept { return text; }
};

template <class T, std::size_t N> struct argument_codec<std::span<T, N>> {
  using element = std::remove_cv_t<T>;
  struct plain_bool {
    bool value; // std::vector<bool> has no bools to look at
  };
  using stored = std::vector<std::conditional_t<std::is_same_v<element, bool>, plain_bool, element>>;

  static void encode(const std::span<T, N>& elements, writer& out) {
    encode_elements(std::span<const element>(elements), out);
  }
  static stored decode(reader& in) {
    stored elements = wire::decode<stored>(in);
    if (N != std::dynamic_extent && elements.size() != N) throw_bad_value("a span of another length than its type has");
    return elements;
  }
  static std::span<T, N> pass(stored& elements) noexcept {
    return std::span<T, N>(reinterpret_cast<element*>(elements.data()), elements.size());
  }
};

} // namespace lk::parallel::wire
