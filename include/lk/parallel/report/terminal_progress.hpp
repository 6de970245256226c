// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include <lk/parallel/report/pacer.hpp>
#include <lk/parallel/report/progress.hpp>
#include <lk/parallel/report/terminal_screen.hpp>

// The display for people at a terminal: a bar among the others of a screen.

namespace lk::parallel::report {

/// A bar, redrawn at most ten times a second; its final state stays as a line above the bars that go on.
class terminal_progress final : public Progress {
 public:
  /// Lifetime: the screen outlives this.
  terminal_progress(terminal_screen& screen, std::string label, std::optional<std::size_t> total, std::string unit)
      : Progress(std::move(label), total, std::move(unit))
      , screen_(screen) {}
  ~terminal_progress() override {
    finish();
    screen_.remove(this); // where drawing failed before
  }

  void show(const progress_snapshot& now) override {
    if (now.finished) return screen_.finish(this, now);
    if (pace_.due(now.elapsed)) screen_.draw(this, now);
  }

 private:
  terminal_screen& screen_;
  pacer pace_{std::chrono::milliseconds(100)};
};

} // namespace lk::parallel::report
