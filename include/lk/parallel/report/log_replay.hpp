// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <span>
#include <string>
#include <unordered_set>

#include <spdlog/details/log_msg.h>
#include <spdlog/logger.h>

#include <lk/parallel/report/library_log.hpp>
#include <lk/parallel/report/log_record.hpp>

// A worker's log record said again in the host, by the host's logger of the same name, under the host's levels. Whoever
// drains a worker's outlet calls it; it knows no worker and no transport.

namespace lk::parallel::report {

/// The same text at an address that stays valid: spdlog keeps source locations as pointers, async loggers and
/// backtraces keep them for later. Null for an empty text, and for new ones once there are too many to be places in a
/// program, or a text is too long to be one. Threads: safe.
inline const char* text_for_ever(const std::string& text) {
  constexpr std::size_t most = 16384, longest = 4096;
  static std::mutex mutex;                                   // guards known
  static auto& known = *new std::unordered_set<std::string>; // leaked: loggers may outlive static destruction
  if (text.empty() || text.size() > longest) return nullptr;
  const std::lock_guard lock(mutex);
  const auto at = known.find(text);
  if (at != known.end()) return at->c_str();
  return known.size() < most ? known.insert(text).first->c_str() : nullptr;
}

/// The host's logger of that name, made and registered where there is none; the first 1,024 such names, since what is
/// registered stays for ever and a worker may make a logger for each task. For the names after them a logger is made
/// for each record. Threads: safe.
inline std::shared_ptr<spdlog::logger> logger_for_record(const std::string& name) {
  constexpr int most = 1024;
  static std::atomic<int> n_registered{0};
  if (auto known = spdlog::get(name)) return known;
  if (n_registered.load(std::memory_order_relaxed) >= most) return twin_of_default_logger(name);
  n_registered.fetch_add(1, std::memory_order_relaxed); // relaxed: a count that guards nothing, exact or not
  return logger_named(name);
}

/// Access to what spdlog::logger keeps for its heirs: the entry that takes a whole message.
struct logger_entry : spdlog::logger {
  static void log(spdlog::logger& logger, const spdlog::details::log_msg& message) {
    (logger.*(&logger_entry::log_it_))(message, logger.should_log(message.level), logger.should_backtrace());
  }
};

/// Logs the record with its own time, level, thread, source and text; the text is data, never a format. A logger the
/// host does not know yet is made with the default logger's sinks (logger_for_record).
/// Threads: safe. Throws: nothing. spdlog hands a sink's std::exception to the logger's error handler; the first
/// exception that comes out of that is reported, later ones are dropped.
inline void replay(const log_record& record) noexcept {
  static std::atomic<bool> reported{false};
  try {
    const auto logger = logger_for_record(record.logger);
    const char* const file = text_for_ever(record.file);
    const spdlog::source_loc source(file, file ? record.line : 0, text_for_ever(record.function));
    spdlog::details::log_msg message(record.time, source, logger->name(),
                                     static_cast<spdlog::level::level_enum>(record.level), record.text);
    message.thread_id = static_cast<std::size_t>(record.thread);
    logger_entry::log(*logger, message);
  } catch (...) {
    if (!reported.exchange(true, std::memory_order_relaxed)) // relaxed: the flag guards no other memory
      report_error("a log sink of the host threw while it took a worker's record; later failures are not reported");
  }
}

/// The same for a record as an outlet delivers it. Throws: wire_error where the bytes are not one whole record.
inline void replay(std::span<const std::byte> bytes) { replay(decode_log_record(bytes)); }

} // namespace lk::parallel::report
