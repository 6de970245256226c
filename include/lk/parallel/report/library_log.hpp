// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <spdlog/logger.h>
#include <spdlog/spdlog.h>

// The loggers of the host by name, and the one the library itself speaks through. Anybody above `report` may log by it;
// it knows nothing of processes.

namespace lk::parallel::report {

inline constexpr const char* library_logger_name = "lk.parallel";

/// A logger of that name with the default logger's sinks, levels and error handler, not registered. Never null.
inline std::shared_ptr<spdlog::logger> twin_of_default_logger(const std::string& name) {
  const auto model = spdlog::default_logger();
  return model ? model->clone(name) : std::make_shared<spdlog::logger>(name);
}

/// The registered logger of that name; where there is none, a twin of the default logger is registered under the name.
/// Never null.
/// Threads: safe. It is not spdlog::initialize_logger, because that would reset the formatters of the shared sinks.
inline std::shared_ptr<spdlog::logger> logger_named(const std::string& name) {
  if (auto known = spdlog::get(name)) return known;
  auto made = twin_of_default_logger(name);
  try {
    spdlog::register_logger(made);
  } catch (const spdlog::spdlog_ex&) { // another thread was faster
    if (auto known = spdlog::get(name)) return known;
  }
  return made;
}

/// The logger of the library's own messages. Users silence or redirect it by its name, "lk.parallel".
inline std::shared_ptr<spdlog::logger> library_logger() { return logger_named(library_logger_name); }

/// Says a sentence of the library's own. The text is ready: with arguments spdlog would have every unit that logs
/// compile fmt's formatting again.
inline void say(spdlog::level::level_enum level, std::string_view sentence) {
  library_logger()->log(level, spdlog::string_view_t(sentence.data(), sentence.size()));
}

inline void inform(std::string_view sentence) { say(spdlog::level::info, sentence); }
inline void warn(std::string_view sentence) { say(spdlog::level::warn, sentence); }

/// Logs an error of the library's own, on stderr where logging fails as well.
[[gnu::cold]] inline void report_error(std::string_view sentence) noexcept {
  try {
    say(spdlog::level::err, sentence);
  } catch (...) {
    std::fprintf(stderr, "%s: %.*s\n", library_logger_name, static_cast<int>(sentence.size()), sentence.data());
  }
}

} // namespace lk::parallel::report
