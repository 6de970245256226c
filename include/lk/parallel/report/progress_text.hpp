// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#include <lk/parallel/report/progress_state.hpp>

// A progress snapshot as one line of text, for people. Pure functions: they know no clock and no terminal.

namespace lk::parallel::report {

/// Minutes and seconds ("0:07", "12:34"), hours before them from one hour on ("1:02:03").
inline std::string duration_text(std::chrono::duration<double> span) {
  const double bounded = std::clamp(span.count(), 0.0, 359999999.0);
  const auto seconds = static_cast<long long>(bounded);
  char text[48];
  if (seconds < 3600)
    std::snprintf(text, sizeof text, "%lld:%02lld", seconds / 60, seconds % 60);
  else
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", seconds / 3600, seconds / 60 % 60, seconds % 60);
  return text;
}

/// "812 users/s", "0.25 users/s", "812/s" without a unit.
inline std::string rate_text(double rate, std::string_view unit) {
  char number[48];
  std::snprintf(number, sizeof number, "%.*f", rate >= 10 ? 0 : rate >= 1 ? 1 : 2, rate);
  std::string text(number);
  if (!unit.empty()) text.append(" ").append(unit);
  return text + "/s";
}

/// The text with bytes that would move a cursor replaced.
inline std::string printable(std::string_view text) {
  std::string safe(text);
  std::replace_if(
      safe.begin(), safe.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return safe;
}

/// Columns a text takes, counted as UTF-8 code points.
inline std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// The longest beginning of a text that takes at most n columns.
inline std::string_view cut_to_columns(std::string_view text, std::size_t n) {
  std::size_t used = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && used++ == n) return text.substr(0, i);
  return text;
}

/// "43%", or nothing where the total is unknown. Rounded down: 100% means that all is done.
inline std::string percent_text(const progress_snapshot& now) {
  const auto part = now.fraction();
  if (!part) return "";
  return std::to_string(static_cast<int>(std::floor(*part * 100))) + '%';
}

/// "2600/6040 users, 812 users/s, 0:03 elapsed, 0:04 left", with "2 failed" where items did.
inline std::string counts_text(const progress_snapshot& now) {
  std::string text = std::to_string(now.done());
  if (now.total) text += '/' + std::to_string(*now.total);
  if (!now.unit.empty()) text += ' ' + printable(now.unit);
  if (const auto failed = now.count(progress_state::failed)) text += ", " + std::to_string(failed) + " failed";
  text += ", " + rate_text(now.rate(), printable(now.unit));
  text += ", " + duration_text(now.elapsed) + " elapsed";
  if (const auto left = now.time_left(); left && !now.finished) text += ", " + duration_text(*left) + " left";
  return text;
}

/// "scoring: 43%, 2600/6040 users, 812 users/s, 0:03 elapsed, 0:04 left".
inline std::string log_line(const progress_snapshot& now) {
  std::string text = now.label.empty() ? std::string("progress") : printable(now.label);
  text += now.finished ? " ended: " : ": ";
  if (const auto percent = percent_text(now); !percent.empty()) text += percent + ", ";
  return text + counts_text(now);
}

/// "scoring [#####>....]  43%  2600/6040 users, ..." in at most `width` columns: the bar gives way first, then the end
/// of the text. '#' is done, '-' is dispatched or in progress, '.' is to come.
inline std::string bar_line(const progress_snapshot& now, std::size_t width) {
  constexpr std::size_t longest_bar = 40, shortest_bar = 8;
  const std::string label = printable(now.label);
  const std::string tail = (now.total ? percent_text(now) + "  " : std::string()) + counts_text(now);
  const std::size_t fixed = columns(label) + columns(tail) + 5; // " [" and "]  "
  std::string line = label;
  if (now.total && width >= fixed + shortest_bar) {
    const std::size_t length = std::min(longest_bar, width - fixed);
    const double total = static_cast<double>(std::max<std::size_t>(*now.total, 1));
    const auto cells = [&](std::size_t n) {
      return static_cast<std::size_t>(std::min(1.0, static_cast<double>(n) / total) * static_cast<double>(length));
    };
    const std::size_t done = *now.total == 0 ? length : cells(now.done());
    const std::size_t open = now.count(progress_state::dispatched) + now.count(progress_state::in_progress);
    const std::size_t under_way = std::max(done, cells(now.done() + open)) - done;
    line +=
        " [" + std::string(done, '#') + std::string(under_way, '-') + std::string(length - done - under_way, '.') + "]";
  }
  line += (line.empty() ? "" : "  ") + tail;
  return std::string(cut_to_columns(line, width));
}

} // namespace lk::parallel::report
