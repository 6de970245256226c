// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

// Numbers as people read them.

namespace recsys {

/// 1000209 as 1,000,209.
inline std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

inline std::string with_decimals(double number, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, number);
  return text;
}

/// Units: bytes in, MiB out.
inline std::string as_mib(std::size_t bytes) {
  return with_decimals(static_cast<double>(bytes) / (1 << 20), 1) + " MiB";
}

inline std::string count_of(std::size_t n, const std::string& what) {
  return with_commas(n) + " " + what + (n == 1 ? "" : what.ends_with("process") ? "es" : "s");
}

} // namespace recsys
