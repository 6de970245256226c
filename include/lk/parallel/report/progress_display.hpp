// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/report/library_log.hpp>
#include <lk/parallel/report/progress.hpp>
#include <lk/parallel/report/progress_text.hpp>

// The two displays there are: a bar on a terminal, and lines of a logger. Neither has a thread or a clock: they draw
// when an update comes and enough time has passed since the last drawing.

namespace lk::parallel::report {

/// Says when enough time has passed since it last said so. The first time it does not ask.
class pacer {
 public:
  explicit pacer(std::chrono::nanoseconds interval) : interval_(interval) {}
  bool due(std::chrono::nanoseconds now) {
    if (last_ && now - *last_ < interval_) return false;
    last_ = now;
    return true;
  }

 private:
  std::chrono::nanoseconds interval_;
  std::optional<std::chrono::nanoseconds> last_;
};

/// Writes all it can; a display has nobody to tell about an error.
inline void write_quietly(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const auto n = base::retry_eintr([&] { return ::write(fd, text.data(), text.size()); });
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// A bar on one line of a terminal, redrawn at most ten times a second; its final state stays as a line.
class terminal_progress final : public Progress {
 public:
  /// Lifetime: fd is the caller's and stays open.
  terminal_progress(int fd, std::string label, std::optional<std::size_t> total, std::string unit)
      : Progress(std::move(label), total, std::move(unit))
      , fd_(fd) {}
  ~terminal_progress() override { finish(); }

  void show(const progress_snapshot& now) override {
    if (!now.finished && !pace_.due(now.elapsed)) return;
    std::string text = "\r" + bar_line(now, width()) + "\x1b[K"; // ECMA-48 EL: erase to the end of the line
    if (now.finished) text += '\n';
    write_quietly(fd_, text);
  }

 private:
  /// One column stays free, so that no terminal wraps the line.
  std::size_t width() const noexcept {
    winsize size{};
    if (::ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 79;
    return size.ws_col - 1u;
  }

  int fd_;
  pacer pace_{std::chrono::milliseconds(100)};
};

/// An info line of a logger every five seconds and at the end.
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
