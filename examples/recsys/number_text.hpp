// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <string>
#include <type_traits>

// Numbers in files: the shortest text that reads back as the same number.

namespace recsys {

template <class Number> std::string& append_number(std::string& to, Number number) {
  static_assert(std::is_arithmetic_v<Number>);
  char text[64];
  return to.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

} // namespace recsys
