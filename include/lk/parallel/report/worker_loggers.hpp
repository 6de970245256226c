// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cassert>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/registry.h>
#include <spdlog/logger.h>
#include <spdlog/spdlog.h>

#include <lk/parallel/report/library_log.hpp>
#include <lk/parallel/report/outlet.hpp>
#include <lk/parallel/report/relay_sink.hpp>

// What becomes of the host's loggers in a forked child: first silent, then, in a worker, relayed. The zygote and the
// worker loop call this once each. The host's sinks, queues and backtraces are neither used nor destroyed here: other
// threads of the host may have held their locks at the fork.
//
// Not reached: loggers that were never registered, and sinks that user code calls by itself.

namespace lk::parallel::report {

/// Access to what spdlog::logger keeps for its heirs.
struct logger_internals : spdlog::logger {
  static spdlog::details::backtracer& tracer(spdlog::logger& l) { return l.*(&logger_internals::tracer_); }
  static spdlog::err_handler& error_handler(spdlog::logger& l) { return l.*(&logger_internals::custom_err_handler_); }
};

/// Makes a logger of the host harmless in place, because user code holds pointers to it: no sinks, no backtrace, no
/// flushing; a queue-backed logger becomes a plain one of the same name and level.
inline void silence(const std::shared_ptr<spdlog::logger>& logger) {
  // The old parts live on, unreachable, until the child leaves by _exit.
  if (dynamic_cast<spdlog::async_logger*>(logger.get())) {
    // Its thread pool has no threads here, so posting to it would wait for ever. The object is never destroyed (one
    // owner leaks), and a spdlog::logger in its place answers every virtual call that comes through the old pointers.
    new std::shared_ptr<spdlog::logger>(logger);
    const std::string name = logger->name();
    const auto level = logger->level();
    void* const place = dynamic_cast<void*>(logger.get());
    assert(place == static_cast<void*>(logger.get()));
    std::launder(::new (place) spdlog::logger(name))->set_level(level);
    return;
  }
  new std::vector<spdlog::sink_ptr>(std::move(logger->sinks()));
  new spdlog::err_handler(std::move(logger_internals::error_handler(*logger)));
  logger->sinks().clear();
  logger->flush_on(spdlog::level::off);
  ::new (&logger_internals::tracer(*logger)) spdlog::details::backtracer();
}

/// Every registered logger, the default one included, falls silent without its sinks being touched.
/// Fork: for a fresh child with one thread. Blocks: for ever where the lock of spdlog's thread pool was copied while
/// held; it belongs to the steps the canary watches.
inline void silence_loggers() {
  spdlog::apply_all([](const std::shared_ptr<spdlog::logger>& logger) { silence(logger); });
  spdlog::set_error_handler([](const std::string&) {}); // spdlog's own formats the local time
  auto& registry = spdlog::details::registry::instance();
  new std::shared_ptr<spdlog::details::thread_pool>(registry.get_tp()); // its destructor would join threads of the host
  registry.set_tp(nullptr);                                             // an async logger made here gets a fresh one
}

/// Every registered logger sends its records to the outlet from here on; those that spdlog's factories make later do so
/// too, through the registry's formatter (relay_formatter). Levels are the host's at the time of the fork. What a
/// logger cannot format is told through the library's logger.
/// Fork: for a worker, after silence_loggers(). Lifetime: the outlet lives until the process ends.
inline void relay_loggers(outlet& out, int worker) {
  const auto sink = std::make_shared<relay_sink>(out, worker);
  library_logger(); // exists in the worker even where the host never spoke
  spdlog::apply_all([&](const std::shared_ptr<spdlog::logger>& logger) { logger->sinks().assign(1, sink); });
  spdlog::set_formatter(std::make_unique<relay_formatter>(sink));
  spdlog::set_error_handler([](const std::string& what) { report_error("a record could not be logged: " + what); });
}

} // namespace lk::parallel::report
