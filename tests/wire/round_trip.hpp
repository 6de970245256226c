// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <lk/parallel/codec.hpp>

// What the tests of the codecs share: a value to bytes and back, and bytes cut short.

namespace lk::parallel::testing {

template <class T> std::vector<std::byte> encoded(const T& value) {
  wire::writer out;
  wire::encode(value, out);
  return {out.bytes().begin(), out.bytes().end()};
}

template <class T> T decoded(std::span<const std::byte> bytes) {
  wire::reader in(bytes);
  T value = wire::decode<T>(in);
  in.expect_end();
  return value;
}

template <class T> T round_trip(const T& value) { return decoded<T>(encoded(value)); }

/// Whether every message that lacks some of its end is refused with a wire_error.
template <class T> bool each_cut_is_refused(const T& value) {
  const std::vector<std::byte> whole = encoded(value);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    try {
      static_cast<void>(decoded<T>(cut));
      return false;
    } catch (const wire_error&) {
    }
  }
  return true;
}

} // namespace lk::parallel::testing
