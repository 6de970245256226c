// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

// Text of any origin on a terminal: what of it may be printed, and how many columns that takes. It does not ask the
// locale (wcwidth(3) knows nothing in a program that never called setlocale); its tables hold the blocks that matter.

namespace lk::parallel::report {

struct code_point {
  char32_t value = 0;
  std::size_t length = 1; ///< bytes
  bool is_valid = false;  ///< else `length` is 1 and `value` the byte
};

/// The first code point of a text that is not empty: shortest form, no surrogates, at most U+10FFFF (RFC 3629).
inline code_point first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const code_point broken{byte(0), 1, false};
  if (byte(0) < 0x80) return {byte(0), 1, true};
  const std::size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < length) return broken;
  char32_t value = byte(0) & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return broken;
    value = value << 6 | (byte(i) & 0x3F);
  }
  constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return broken;
  return {value, length, true};
}

struct code_range {
  char32_t first, last;
};

template <std::size_t N> bool is_in(const std::array<code_range, N>& ranges, char32_t value) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), value,
                                      [](char32_t v, const code_range& range) { return v < range.first; });
  return after != ranges.begin() && value <= std::prev(after)->last;
}

/// Columns of one code point: 0 for what combines with the one before, 2 for East Asian wide characters and emoji.
/// Source: Unicode 15, EastAsianWidth.txt and general category Mn, by blocks; rare scripts count as 1.
inline std::size_t columns(char32_t value) {
  static constexpr std::array<code_range, 14> none{{{0x300, 0x36F},
                                                    {0x483, 0x489},
                                                    {0x591, 0x5BD},
                                                    {0x610, 0x61A},
                                                    {0x64B, 0x65F},
                                                    {0x900, 0x902},
                                                    {0xE31, 0xE31},
                                                    {0xE34, 0xE3A},
                                                    {0x1AB0, 0x1AFF},
                                                    {0x1DC0, 0x1DFF},
                                                    {0x200B, 0x200D},
                                                    {0x20D0, 0x20FF},
                                                    {0xFE00, 0xFE0F},
                                                    {0xFE20, 0xFE2F}}};
  static constexpr std::array<code_range, 14> two{{{0x1100, 0x115F},
                                                   {0x231A, 0x231B},
                                                   {0x2E80, 0x303E},
                                                   {0x3041, 0xA4CF},
                                                   {0xA960, 0xA97C},
                                                   {0xAC00, 0xD7A3},
                                                   {0xF900, 0xFAFF},
                                                   {0xFE30, 0xFE6F},
                                                   {0xFF00, 0xFF60},
                                                   {0xFFE0, 0xFFE6},
                                                   {0x1F300, 0x1F64F},
                                                   {0x1F680, 0x1F6FF},
                                                   {0x1F900, 0x1FAFF},
                                                   {0x20000, 0x3FFFD}}};
  if (value < 0x300) return 1;
  return is_in(none, value) ? 0 : is_in(two, value) ? 2 : 1;
}

/// True for what moves the cursor, starts an escape sequence, or turns the direction of the line.
inline bool is_control(char32_t value) {
  return value < 0x20 || (value >= 0x7F && value < 0xA0) || (value >= 0x2028 && value <= 0x202E) ||
         (value >= 0x2066 && value <= 0x2069);
}

enum class charset { ascii, utf8 };

/// The text with controls, broken UTF-8 and what the terminal's characters do not include replaced by '?'.
inline std::string printable(std::string_view text, charset shown = charset::utf8) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const code_point c = first_code_point(text);
    const bool passes = c.is_valid && !is_control(c.value) && (shown == charset::utf8 || c.value < 0x80);
    if (passes) safe += text.substr(0, c.length);
    if (!passes && (shown == charset::utf8 || columns(c.value) > 0)) safe += '?';
    text.remove_prefix(c.length);
  }
  return safe;
}

/// Columns that a printable text takes.
inline std::size_t columns(std::string_view text) {
  std::size_t used = 0;
  while (!text.empty()) {
    const code_point c = first_code_point(text);
    used += columns(c.value);
    text.remove_prefix(c.length);
  }
  return used;
}

/// The longest beginning of a printable text that takes at most n columns.
inline std::string_view cut_to_columns(std::string_view text, std::size_t n) {
  std::size_t used = 0;
  for (std::size_t at = 0; at < text.size();) {
    const code_point c = first_code_point(text.substr(at));
    used += columns(c.value);
    if (used > n) return text.substr(0, at);
    at += c.length;
  }
  return text;
}

} // namespace lk::parallel::report
