// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <spdlog/details/os.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/sink.h>

#include <lk/parallel/report/log_record.hpp>
#include <lk/parallel/report/outlet.hpp>

// The sink of every logger in a worker: it hands each record to an outlet as bytes. It has no formatter and so never
// asks for the local time, and its only lock is made in the worker.

namespace lk::parallel::report {

/// Made in the worker that uses it.
/// Threads: safe. Fork: in a child of its maker it drops everything, since the outlet is not the child's.
/// Throws: log() nothing; what the outlet throws costs the record, because a logger's own error report would format
/// time. Lifetime: the outlet outlives it.
class relay_sink final : public spdlog::sinks::sink {
 public:
  relay_sink(outlet& out, int worker) : out_(out), worker_(worker) {}

  void log(const spdlog::details::log_msg& message) override {
    if (::getpid() != owner_) return;
    try {
      wire::writer buffer;
      encode_log_record(record_of(message), buffer);
      const bool matters = message.level >= spdlog::level::warn;
      out_.send(record_kind::log, buffer.bytes(), matters ? urgency::must_arrive : urgency::may_be_dropped);
    } catch (...) { // nobody in this process can be told
    }
  }

  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  log_record_view record_of(const spdlog::details::log_msg& message) const {
    log_record_view record;
    record.level = message.level;
    record.worker = worker_;
    record.thread = message.thread_id == inherited_thread_ ? own_thread_ : message.thread_id;
    record.time = message.time;
    record.line = message.source.line;
    if (message.source.filename) record.file = message.source.filename;
    if (message.source.funcname) record.function = message.source.funcname;
    record.logger = {message.logger_name.data(), message.logger_name.size()};
    record.text = {message.payload.data(), message.payload.size()};
    return record;
  }

  outlet& out_;
  const int worker_;
  const pid_t owner_ = ::getpid();
  // spdlog caches a thread's id, and the cache of the forking thread is copied into the child.
  const std::uint64_t inherited_thread_ = spdlog::details::os::thread_id();
  const std::uint64_t own_thread_ = static_cast<std::uint64_t>(::gettid());
};

/// A formatter that relays the record and formats nothing. It is the registry's formatter in a worker, so that a logger
/// which spdlog's factories make there is relayed from its first record on; its own sink gets an empty text. A sink
/// that is then given a pattern of its own (logger::set_pattern) writes for itself.
class relay_formatter final : public spdlog::formatter {
 public:
  explicit relay_formatter(std::shared_ptr<relay_sink> sink) : sink_(std::move(sink)) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t&) override { sink_->log(message); }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<relay_formatter>(sink_); }

 private:
  std::shared_ptr<relay_sink> sink_;
};

} // namespace lk::parallel::report
