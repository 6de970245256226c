// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <lk/parallel/report/library_log.hpp>
#include <lk/parallel/report/progress_state.hpp>

// The base of every progress display. Whoever does the work moves items between states; a derived class draws. The
// base keeps the counts, serialises the drawing, and keeps a display's failures away from the work.

namespace lk::parallel {

/// Progress of one piece of work, as in LensKit (lenskit.logging.Progress).
/// Threads: every public member may be called from any thread.
/// Fork: in a child of the process that made it, every member does nothing.
/// Throws: nothing; an exception of show() is logged once to "lk.parallel" and ends the drawing, not the counting.
class Progress {
 public:
  using state = progress_state;

  Progress(std::string label, std::optional<std::size_t> total, std::string unit) {
    now_.label = std::move(label);
    now_.total = total;
    now_.unit = std::move(unit);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// A derived class calls finish() in its own destructor: here its show() is gone.
  virtual ~Progress() = default;

  /// Moves n items into a state, out of `from` or, without one, from outside.
  void update(std::size_t n = 1, state to = state::finished, std::optional<state> from = {}) noexcept {
    change([&] { now_.move(n, to, from); });
  }
  void set_label(std::string label) noexcept {
    change([&] { now_.label = std::move(label); });
  }
  void set_total(std::optional<std::size_t> total) noexcept {
    change([&] { now_.total = total; });
  }
  /// Draws the final state. Later changes are ignored, a second call too.
  void finish() noexcept {
    change([&] { now_.finished = true; });
  }

 protected:
  /// Draws what is true now. Called after every change, so it decides itself what is worth drawing; the call with
  /// now.finished is the last. Threads: one call at a time. It must not call the public members.
  virtual void show(const report::progress_snapshot& now) = 0;

 private:
  using clock = std::chrono::steady_clock;

  template <class Change> void change(Change&& apply) noexcept {
    if (::getpid() != owner_) return; // before the lock: a copied lock may be held for ever
    const std::lock_guard lock(mutex_);
    if (now_.finished) return;
    apply();
    const auto at = clock::now();
    if (!started_) started_ = at;
    now_.elapsed = at - *started_;
    if (!broken_) draw();
  }

  void draw() noexcept {
    try {
      show(now_);
    } catch (const std::exception& e) {
      give_up(e.what());
    } catch (...) {
      give_up("an exception of an unknown type");
    }
  }

  [[gnu::cold]] void give_up(const char* why) noexcept {
    broken_ = true;
    try {
      report::report_error("the progress display of \"" + now_.label + "\" failed and is off from here: " + why);
    } catch (...) { // no memory for the sentence
      report::report_error("a progress display failed and is off from here");
    }
  }

  const pid_t owner_ = ::getpid();
  std::mutex mutex_; // guards everything below
  report::progress_snapshot now_;
  std::optional<clock::time_point> started_;
  bool broken_ = false; // show() has thrown
};

} // namespace lk::parallel
