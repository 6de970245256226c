// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include <lk/parallel/report/library_log.hpp>
#include <lk/parallel/report/pacer.hpp>
#include <lk/parallel/report/progress.hpp>
#include <lk/parallel/report/progress_text.hpp>

// The display for files and services: lines of a logger.

namespace lk::parallel::report {

/// An info line of the named logger every five seconds and at the end.
class log_progress final : public Progress {
 public:
  log_progress(std::string logger, std::string label, std::optional<std::size_t> total, std::string unit)
      : Progress(std::move(label), total, std::move(unit))
      , logger_(std::move(logger)) {
    pace_.due(std::chrono::nanoseconds(0)); // the first line comes after five seconds
  }
  ~log_progress() override { finish(); }

  void show(const progress_snapshot& now) override {
    if (!now.finished && !pace_.due(now.elapsed)) return;
    const std::string line = log_line(now);
    logger_named(logger_)->log(spdlog::level::info, spdlog::string_view_t(line));
  }

 private:
  std::string logger_;
  pacer pace_{std::chrono::seconds(5)};
};

} // namespace lk::parallel::report
