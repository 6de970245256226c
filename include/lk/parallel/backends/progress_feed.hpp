// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include <lk/parallel/report/progress.hpp>

// Tells a Progress what a map does, in few calls: counts are gathered between two looks and told together. The states
// always add up: what was dispatched is dispatched, in progress, finished or failed.

namespace lk::parallel::backends {

class progress_feed {
 public:
  explicit progress_feed(std::shared_ptr<Progress> progress) : progress_(std::move(progress)) {}

  void dispatched() { ++n_dispatched_; }
  void done(bool well) { ++(well ? n_finished_ : n_failed_); }

  /// Passes on what was gathered; n_running: how many tasks are being worked on now.
  void tell(std::size_t n_running) {
    if (!progress_) return;
    using enum progress_state;
    const std::size_t n_done = n_finished_ + n_failed_;
    move(n_dispatched_, progress_state::dispatched, std::nullopt);
    waiting_ += std::exchange(n_dispatched_, 0);
    const std::size_t now_running = std::min(n_running, waiting_ + running_ - n_done);
    const std::size_t begun = now_running + n_done > running_ ? now_running + n_done - running_ : 0;
    move(begun, in_progress, progress_state::dispatched);
    waiting_ -= begun;
    running_ += begun - n_done;
    move(std::exchange(n_finished_, 0), finished, in_progress);
    move(std::exchange(n_failed_, 0), failed, in_progress);
  }

  /// The map is over: what was begun and not finished is back among the dispatched, where it will stay.
  void end() {
    tell(0);
    move(running_, progress_state::dispatched, progress_state::in_progress);
    waiting_ += std::exchange(running_, 0);
  }

 private:
  void move(std::size_t n, progress_state to, std::optional<progress_state> from) {
    if (n != 0 && progress_) progress_->update(n, to, from);
  }

  std::shared_ptr<Progress> progress_;
  std::size_t n_dispatched_ = 0, n_finished_ = 0, n_failed_ = 0; ///< gathered and not yet told
  std::size_t waiting_ = 0, running_ = 0;                        ///< as told: dispatched, in progress
};

} // namespace lk::parallel::backends
