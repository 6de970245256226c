// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <lk/parallel/report/console_sinks.hpp>
#include <lk/parallel/report/pacer.hpp>
#include <lk/parallel/report/progress.hpp>
#include <lk/parallel/report/terminal.hpp>
#include <lk/parallel/report/text_columns.hpp>

// The display for programs: each drawing is a JSON object (RFC 8259) on a line of its own.

namespace lk::parallel::report {

/// A JSON string; what is no UTF-8 becomes U+FFFD.
inline std::string json_string(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string quoted = "\"";
  while (!text.empty()) {
    const code_point c = first_code_point(text);
    if (!c.is_valid)
      quoted += "\xEF\xBF\xBD";
    else if (c.value == '"' || c.value == '\\')
      quoted.append("\\").append(text.substr(0, 1));
    else if (c.value < 0x20)
      quoted.append("\\u00").append({digits[c.value >> 4], digits[c.value & 15]});
    else
      quoted += text.substr(0, c.length);
    text.remove_prefix(c.length);
  }
  return quoted + '"';
}

/// The shortest text that reads as the same number; null for what JSON has no number for.
inline std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

/// The snapshot as one JSON object, without a newline.
inline std::string json_line(const progress_snapshot& now) {
  const auto count = [&](progress_state state) { return std::to_string(now.count(state)); };
  const auto left = now.time_left();
  std::string metric = "null";
  if (!now.metric_name.empty())
    metric = "{\"name\":" + json_string(now.metric_name) + ",\"value\":" + json_number(now.metric) + "}";
  return "{\"label\":" + json_string(now.label) + ",\"unit\":" + json_string(now.unit) +
         ",\"total\":" + (now.total ? std::to_string(*now.total) : "null") +
         ",\"dispatched\":" + count(progress_state::dispatched) +
         ",\"in_progress\":" + count(progress_state::in_progress) + ",\"finished\":" + count(progress_state::finished) +
         ",\"failed\":" + count(progress_state::failed) +
         ",\"elapsed_seconds\":" + json_number(std::chrono::duration<double>(now.elapsed).count()) +
         ",\"rate\":" + json_number(now.rate()) +
         ",\"remaining_seconds\":" + (left && !now.finished ? json_number(left->count()) : "null") +
         ",\"metric\":" + metric + ",\"done\":" + (now.finished ? "true" : "false") + "}";
}

/// A line at the first change, then at most one a second, and one at the end.
class json_progress final : public Progress {
 public:
  /// Lifetime: fd is the caller's and stays open.
  json_progress(int fd, std::string label, std::optional<std::size_t> total, std::string unit)
      : Progress(std::move(label), total, std::move(unit))
      , fd_(fd) {}
  ~json_progress() override { finish(); }

  void show(const progress_snapshot& now) override {
    if (!now.finished && !pace_.due(now.elapsed)) return;
    const std::string line = json_line(now) + '\n';
    const console_lock lock = lock_console(); // a log line may come in several writes
    write_quietly(fd_, line);
  }

 private:
  int fd_;
  pacer pace_{std::chrono::seconds(1)};
};

} // namespace lk::parallel::report
