// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

// A host's loggers for the tests: a sink that remembers what it was given, and the default logger exchanged for one
// that writes to it.

namespace lk::parallel::testing {

struct recorded {
  std::string logger;
  int level;
  std::chrono::system_clock::time_point time;
  std::size_t thread;
  std::string file;
  int line;
  std::string function;
  std::string text;
};

class recording_sink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  std::vector<recorded> records() {
    const std::lock_guard lock(mutex_);
    return records_;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> all;
    for (const recorded& record : records()) all.push_back(record.text);
    return all;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    records_.push_back({{message.logger_name.data(), message.logger_name.size()},
                        message.level,
                        message.time,
                        message.thread_id,
                        message.source.filename ? message.source.filename : "",
                        message.source.line,
                        message.source.funcname ? message.source.funcname : "",
                        {message.payload.data(), message.payload.size()}});
  }
  void flush_() override {}

 private:
  std::vector<recorded> records_;
};

/// For its life, the registry holds one logger, the default one, which writes to `sink`.
class host_loggers {
 public:
  host_loggers() : before_(spdlog::default_logger()) {
    spdlog::drop_all();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("", sink));
  }
  host_loggers(const host_loggers&) = delete;
  host_loggers& operator=(const host_loggers&) = delete;
  ~host_loggers() {
    spdlog::drop_all();
    spdlog::set_default_logger(before_);
  }

  const std::shared_ptr<recording_sink> sink = std::make_shared<recording_sink>();

 private:
  std::shared_ptr<spdlog::logger> before_;
};

} // namespace lk::parallel::testing
