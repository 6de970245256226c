// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <array>
#include <cctype>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/config/environment.hpp>
#include <lk/parallel/progress.hpp>
#include <lk/parallel/report/json_progress.hpp>
#include <lk/parallel/report/log_progress.hpp>
#include <lk/parallel/report/progress_relay.hpp>
#include <lk/parallel/report/silent_progress.hpp>
#include <lk/parallel/report/terminal_progress.hpp>

// How a display is chosen, by LK_PROGRESS and by what stderr is.

namespace lk::parallel {

namespace front {

enum class display { bar, log, json, none };

/// True where stderr is a terminal that can move its cursor.
inline bool has_screen() {
  const auto terminal = config::read_environment_text("TERM");
  return ::isatty(STDERR_FILENO) == 1 && terminal && *terminal != "dumb";
}

/// Throws: config_error where LK_PROGRESS holds none of its values.
inline display chosen_display() {
  const std::string text = config::read_environment_text("LK_PROGRESS").value_or("auto");
  if (text == "auto") return has_screen() ? display::bar : display::log;
  if (text == "bar") return display::bar;
  if (text == "log") return display::log;
  if (text == "json") return display::json;
  if (text == "none") return display::none;
  throw config_error("LK_PROGRESS", text, "give auto, bar, log, json or none");
}

/// The characters of the locale's name: the first of LC_ALL, LC_CTYPE and LANG that is set decides (POSIX, XBD 8.2).
inline report::charset locale_charset() {
  for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string text = config::read_environment_text(name).value_or("");
    if (text.empty()) continue;
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool is_utf8 = text.find("utf-8") != std::string::npos || text.find("utf8") != std::string::npos;
    return is_utf8 ? report::charset::utf8 : report::charset::ascii;
  }
  return report::charset::ascii;
}

/// The one screen of stderr, which all bars share. NO_COLOR: https://no-color.org.
/// Lifetime: never destroyed, so that bars among the user's statics may still be drawn.
inline report::terminal_screen& stderr_screen() {
  static auto& only = *new report::terminal_screen(
      STDERR_FILENO,
      {.characters = locale_charset(), .has_colour = !config::read_environment_text("NO_COLOR").has_value()});
  return only;
}

} // namespace front

LK_PARALLEL_DEFINITION std::shared_ptr<Progress> null_progress() { return std::make_shared<report::silent_progress>(); }

LK_PARALLEL_DEFINITION std::shared_ptr<Progress> make_progress(std::string logger, std::string label,
                                                               std::optional<std::size_t> total, std::string unit) {
  if (report::progress_relay::instance() != nullptr) return null_progress();
  switch (front::chosen_display()) {
  case front::display::bar:
    return std::make_shared<report::terminal_progress>(front::stderr_screen(), std::move(label), total,
                                                       std::move(unit));
  case front::display::log:
    return std::make_shared<report::log_progress>(std::move(logger), std::move(label), total, std::move(unit));
  case front::display::json:
    return std::make_shared<report::json_progress>(STDERR_FILENO, std::move(label), total, std::move(unit));
  case front::display::none:
    break;
  }
  return null_progress();
}

} // namespace lk::parallel
