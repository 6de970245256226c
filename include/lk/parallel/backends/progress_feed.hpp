// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/report/progress.hpp>

// Tells a Progress what a map does, in few calls: counts are gathered between two looks and told together. The states
// always add up: what was dispatched is dispatched, in progress, finished or failed.

namespace lk::parallel::backends {

class progress_feed {
 public:
  explicit progress_feed(std::shared_ptr<Progress> progress) : progress_(std::move(progress)) {}

  void dispatched(std::size_t n = 1) { n_dispatched_ += n; }
  void done(bool well, std::size_t n = 1) { (well ? n_finished_ : n_failed_) += n; }

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
    const auto now = base::deadline::clock::now();
    const bool has_moved = std::exchange(has_moved_, false);
    if (!has_moved && now - last_told_ < longest_silence) return;
    if (!has_moved) progress_->refresh();
    last_told_ = now;
  }

  /// The map is over: what was begun and not finished is back among the dispatched, where it will stay.
  void end() {
    tell(0);
    move(running_, progress_state::dispatched, progress_state::in_progress);
    waiting_ += std::exchange(running_, 0);
  }

  /// A display that says how long it has taken wants to be told now and then, whatever happens.
  base::deadline next_look() const {
    return progress_ ? base::deadline::after(longest_silence) : base::deadline::never();
  }

 private:
  static constexpr auto longest_silence = std::chrono::milliseconds(100);

  void move(std::size_t n, progress_state to, std::optional<progress_state> from) {
    if (n == 0 || !progress_) return;
    has_moved_ = true;
    progress_->update(n, to, from);
  }

  std::shared_ptr<Progress> progress_;
  std::size_t n_dispatched_ = 0, n_finished_ = 0, n_failed_ = 0; ///< gathered and not yet told
  std::size_t waiting_ = 0, running_ = 0;                        ///< as told: dispatched, in progress
  bool has_moved_ = false;
  base::deadline::clock::time_point last_told_{};
};

} // namespace lk::parallel::backends
