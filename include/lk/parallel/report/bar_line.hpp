// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <lk/parallel/report/progress_state.hpp>
#include <lk/parallel/report/progress_text.hpp>
#include <lk/parallel/report/text_columns.hpp>

// A progress snapshot as a line of a terminal with a bar in it. Pure functions: what the terminal can show comes in as
// a bar_style, how wide it is as a number.

namespace lk::parallel::report {

/// What the terminal can show.
struct bar_style {
  charset characters = charset::ascii;
  bool has_colour = false;
};

/// Cells of a bar: done, in progress, dispatched, to come.
using bar_cells = std::array<std::size_t, 4>;

/// Shares the cells among the states. Each boundary is rounded down by itself, so none moves backwards as work goes on.
inline bar_cells share_cells(const progress_snapshot& now, std::size_t n_cells) {
  const double total = static_cast<double>(std::max<std::size_t>(now.total.value_or(1), 1));
  const auto upto = [&](std::size_t n) {
    return static_cast<std::size_t>(std::min(1.0, static_cast<double>(n) / total) * static_cast<double>(n_cells));
  };
  const std::size_t n_running = now.done() + now.count(progress_state::in_progress);
  const std::size_t done = now.total == 0 ? n_cells : upto(now.done());
  const std::size_t running = std::max(done, upto(n_running));
  const std::size_t waiting = std::max(running, upto(n_running + now.count(progress_state::dispatched)));
  return {done, running - done, waiting - running, n_cells - waiting};
}

/// A part of the line. Select Graphic Rendition (ECMA-48) of its colour; empty: the terminal's own.
struct line_part {
  std::string text;
  std::string_view colour = {};
  int importance = 0; ///< where there is no room for all, the least important go
  std::size_t width = columns(std::string_view(text));
};

inline std::vector<line_part> bar_parts(const bar_cells& cells, const bar_style& style) {
  static constexpr std::array<std::string_view, 4> blocks{"█", "▓", "░", "·"};
  static constexpr std::array<std::string_view, 4> letters{"#", "=", "-", "."};
  static constexpr std::array<std::string_view, 4> colours{"32", "33", "34", "90"}; // green, yellow, blue, grey
  std::vector<line_part> parts;
  for (std::size_t state = 0; state < cells.size(); ++state) {
    std::string text;
    for (std::size_t i = 0; i < cells[state]; ++i)
      text += style.characters == charset::utf8 ? blocks[state] : letters[state];
    if (!text.empty()) parts.push_back({std::move(text), colours[state]});
  }
  return parts;
}

/// The text with blanks before it to a width, so that what follows does not move as a number grows.
inline std::string aligned(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

/// What stands behind the bar, in order, without what is empty.
inline std::vector<line_part> tail_parts(const progress_snapshot& now, charset shown) {
  const std::size_t n_digits = std::to_string(now.total.value_or(0)).size();
  const std::size_t missing = n_digits - std::min(n_digits, std::to_string(now.done()).size());
  const std::string percent = percent_text(now);
  const std::string rate = now.rate() > 0 ? rate_text(now.rate(), printable(now.unit, shown)) : "";
  std::vector<line_part> parts{{aligned(percent, percent.empty() ? 0 : 4), {}, 7},
                               {std::string(missing, ' ') + count_text(now, shown), {}, 6},
                               {failed_text(now), "31", 4}, // red
                               {rate, {}, 2},
                               {metric_text(now, shown), {}, 3},
                               {duration_text(now.elapsed) + " elapsed", {}, 1},
                               {left_text(now), {}, 5}};
  std::erase_if(parts, [](const line_part& part) { return part.text.empty(); });
  return parts;
}

/// The parts for which there is room, each with two blanks before it, the more important ones first to be asked. The
/// most important one stays in any case, to be cut.
inline std::vector<line_part> parts_that_fit(std::vector<line_part> parts, std::size_t room) {
  std::vector<line_part*> order;
  for (line_part& part : parts) order.push_back(&part);
  std::sort(order.begin(), order.end(), [](auto* one, auto* other) { return one->importance > other->importance; });
  std::size_t used = 0;
  for (line_part* const part : order) {
    const bool fits = used + 2 + part->width <= room || part == order.front();
    if (fits) used += 2 + part->width;
    if (!fits) part->text.clear();
  }
  std::erase_if(parts, [](const line_part& part) { return part.text.empty(); });
  return parts;
}

inline std::string join_parts(const std::vector<line_part>& parts, std::size_t width, bool has_colour) {
  std::string line;
  for (const line_part& part : parts) {
    const std::string_view text = cut_to_columns(part.text, width);
    width -= std::min(width, part.width);
    const bool is_coloured = has_colour && !part.colour.empty() && !text.empty();
    if (is_coloured) line.append("\x1b[").append(part.colour).append("m");
    line += text;
    if (is_coloured) line += "\x1b[m";
  }
  return line;
}

/// "scoring  ████▓▓░░····   43%  2600/6040 users  812 users/s  loss 0.0123  0:03 elapsed  0:04 left" in at most `width`
/// columns. The bar's length depends on the width only, so that it does not tremble as numbers grow. A label gets a
/// third of the line; where there is no room for all parts behind the bar, the less important ones go; where there is
/// none for the percentage, the bar goes. Without a total there is no bar.
inline std::string bar_line(const progress_snapshot& now, std::size_t width, const bar_style& style) {
  const std::size_t bar_width = std::clamp<std::size_t>(width / 5, 10, 40);
  std::string label = printable(now.label, style.characters);
  label = cut_to_columns(label, std::max<std::size_t>(width / 3, 8));
  std::vector<line_part> line;
  if (!label.empty()) line.push_back({label, "1"}); // bold
  std::size_t used = columns(std::string_view(label));
  constexpr std::size_t percent_width = 6;
  if (now.total && used + 2 + bar_width + percent_width <= width) {
    if (!line.empty()) line.push_back({"  "});
    for (line_part& part : bar_parts(share_cells(now, bar_width), style)) line.push_back(std::move(part));
    used += 2 + bar_width;
  }
  for (line_part& part : parts_that_fit(tail_parts(now, style.characters), width - std::min(width, used))) {
    if (!line.empty()) line.push_back({"  "});
    line.push_back(std::move(part));
  }
  return join_parts(line, width, style.has_colour);
}

} // namespace lk::parallel::report
