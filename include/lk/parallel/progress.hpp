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
#include <lk/parallel/config/environment.hpp>
#include <lk/parallel/report/json_progress.hpp>
#include <lk/parallel/report/log_progress.hpp>
#include <lk/parallel/report/progress.hpp>
#include <lk/parallel/report/progress_relay.hpp>
#include <lk/parallel/report/silent_progress.hpp>
#include <lk/parallel/report/terminal_progress.hpp>

// Progress as users name it: Progress, progress_state, progress_snapshot, and the functions that choose a display by
// LK_PROGRESS and by what stderr is.

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

/// What a display of one's own is handed (Progress::show).
using report::progress_snapshot;

/// A Progress that counts and shows nothing.
inline std::shared_ptr<Progress> null_progress() { return std::make_shared<report::silent_progress>(); }

/// A live display of some work. LK_PROGRESS chooses it: `bar` on stderr; `log`, an info line of the named spdlog logger
/// every five seconds and at the end; `json`, an object a line on stderr, at most one a second and one at the end;
/// `none`; `auto` or nothing, a bar where stderr is a terminal that can move its cursor, else log. Without a total it
/// shows counts and rates only. In a worker it shows nothing: its bars would tear the host's.
/// Throws: config_error where LK_PROGRESS is none of these.
inline std::shared_ptr<Progress> make_progress(std::string logger, std::string label,
                                               std::optional<std::size_t> total = {}, std::string unit = {}) {
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

/// make_progress for the work of an invoker (invoker_options::progress). Source: lenskit.parallel.invoker.
inline std::shared_ptr<Progress> invoke_progress(std::string logger, std::string label,
                                                 std::optional<std::size_t> total = {}, std::string unit = {}) {
  return make_progress(std::move(logger), std::move(label), total, std::move(unit));
}

} // namespace lk::parallel
