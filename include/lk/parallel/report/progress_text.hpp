// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#include <lk/parallel/report/progress_state.hpp>
#include <lk/parallel/report/text_columns.hpp>

// The parts of a progress snapshot as text, for people, and all of them as a line of a log. Pure functions: they know
// no clock and no terminal.

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

/// A number as "%.*f" or "%.*g" gives it, whatever the locale.
inline std::string number_text(double value, std::chars_format format, int precision) {
  char text[400]; // the longest double in fixed notation has 309 digits before the point
  const auto end = std::to_chars(text, text + sizeof text, value, format, precision).ptr;
  return std::string(text, end);
}

/// "812 users/s", "0.25 users/s", "812/s" without a unit.
inline std::string rate_text(double rate, std::string_view unit) {
  std::string text = number_text(rate, std::chars_format::fixed, rate >= 10 ? 0 : rate >= 1 ? 1 : 2);
  if (!unit.empty()) text.append(" ").append(unit);
  return text + "/s";
}

/// "43%", or nothing where the total is unknown. Rounded down: 100% means that all is done.
inline std::string percent_text(const progress_snapshot& now) {
  const auto part = now.fraction();
  if (!part) return "";
  return std::to_string(static_cast<int>(std::floor(*part * 100))) + '%';
}

/// "2600/6040 users".
inline std::string count_text(const progress_snapshot& now, charset shown = charset::utf8) {
  std::string text = std::to_string(now.done());
  if (now.total) text += '/' + std::to_string(*now.total);
  if (!now.unit.empty()) text += ' ' + printable(now.unit, shown);
  return text;
}

/// "60 failed", or nothing where none did.
inline std::string failed_text(const progress_snapshot& now) {
  const auto n = now.count(progress_state::failed);
  return n == 0 ? "" : std::to_string(n) + " failed";
}

/// "loss 0.0123", or nothing where there is no metric.
inline std::string metric_text(const progress_snapshot& now, charset shown = charset::utf8) {
  if (now.metric_name.empty()) return "";
  return printable(now.metric_name, shown) + ' ' + number_text(now.metric, std::chars_format::general, 4);
}

/// "0:04 left", or nothing where that is unknown or all is over.
inline std::string left_text(const progress_snapshot& now) {
  const auto left = now.time_left();
  return left && !now.finished ? duration_text(*left) + " left" : "";
}

/// "scoring: 43%, 2600/6040 users, 812 users/s, loss 0.0123, 0:03 elapsed, 0:04 left".
inline std::string log_line(const progress_snapshot& now) {
  std::string text = now.label.empty() ? std::string("progress") : printable(now.label);
  text += now.finished ? " ended: " : ": ";
  bool is_first = true;
  for (const std::string& part :
       {percent_text(now), count_text(now), failed_text(now), rate_text(now.rate(), printable(now.unit)),
        metric_text(now), duration_text(now.elapsed) + " elapsed", left_text(now)}) {
    if (part.empty()) continue;
    if (!is_first) text += ", ";
    is_first = false;
    text += part;
  }
  return text;
}

} // namespace lk::parallel::report
