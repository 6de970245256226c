// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <lk/parallel/report/library_log.hpp>
#include <lk/parallel/report/progress_relay.hpp>
#include <lk/parallel/report/progress_state.hpp>
#include <lk/parallel/report/progress_table.hpp>

// The base of every progress display. Whoever does the work moves items between states; a derived class draws. The
// base keeps the counts, serialises the drawing, and keeps a display's failures away from the work.

namespace lk::parallel {

/// Progress of one piece of work, as in LensKit (lenskit.logging.Progress).
/// Threads: every public member may be called from any thread.
/// Fork: in a worker the changes are made in the host, within 50 ms or at the end of the task; finish() and refresh()
/// do nothing there. In any other child of the process that made it, every member does nothing. Throws: nothing; an
/// exception of show() is logged once to "lk.parallel" and ends the drawing, not the counting.
class Progress {
 public:
  /// Where an item is.
  using state = progress_state;

  /// `total` is empty where it is not known; `unit` is what is counted, in the plural, or empty.
  Progress(std::string label, std::optional<std::size_t> total, std::string unit) {
    now_.label = std::move(label);
    now_.total = total;
    now_.unit = std::move(unit);
    report::progress_table::instance().add(id_, *this);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// A derived class calls finish() in its own destructor: here its show() is gone.
  virtual ~Progress() {
    if (::getpid() == owner_) report::progress_table::instance().remove(id_);
  }

  /// Moves n items into a state, out of `from` or, without one, from outside.
  void update(std::size_t n = 1, state to = state::finished, std::optional<state> from = {}) noexcept {
    if (::getpid() != owner_) return in_worker([&](auto& relay) { relay.update(id_, n, to, from); });
    change([&] { now_.move(n, to, from); });
  }
  /// n items were done by a run before this one, which goes on with the rest: they are finished, but count in no rate.
  void go_on_from(std::size_t n) noexcept {
    change([&] {
      now_.move(n, state::finished, {});
      now_.done_before += n;
    });
  }
  /// What is being done now.
  void set_label(std::string label) noexcept {
    if (::getpid() != owner_)
      return in_worker([&](auto& relay) { relay.send({.id = id_, .what = field::label, .text = std::move(label)}); });
    change([&] { now_.label = std::move(label); });
  }
  /// How many items there are; empty: not known.
  void set_total(std::optional<std::size_t> total) noexcept {
    if (::getpid() != owner_)
      return in_worker([&](auto& relay) {
        relay.send({.id = id_, .what = field::total, .n = total.value_or(0), .is_known = total.has_value()});
      });
    change([&] { now_.total = total; });
  }
  /// A value worth watching ("loss"), shown behind the counts with four significant digits.
  void set_metric(std::string name, double value) noexcept {
    if (::getpid() != owner_)
      return in_worker([&](auto& relay) {
        relay.send({.id = id_, .what = field::metric, .text = std::move(name), .value = value});
      });
    change([&] {
      now_.metric_name = std::move(name);
      now_.metric = value;
    });
  }
  /// Time has passed and nothing else: lets a display show it.
  void refresh() noexcept {
    change([] {});
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
  using field = report::progress_change::field;

  template <class Tell> static void in_worker(Tell&& tell) noexcept {
    if (auto* const relay = report::progress_relay::instance()) tell(*relay);
  }

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
  const std::uint64_t id_ = report::progress_table::next_id();
  std::mutex mutex_; // guards everything below
  report::progress_snapshot now_;
  std::optional<clock::time_point> started_;
  bool broken_ = false; // show() has thrown
};

namespace report {

/// A worker's change, made on the host's object; nothing where that is gone. Throws: wire_error where the bytes are no
/// whole change.
inline void apply_progress_change(std::span<const std::byte> bytes) {
  const progress_change change = decode_progress_change(bytes);
  progress_table::instance().with(change.id, [&](Progress& progress) {
    switch (change.what) {
    case progress_change::field::counts:
      return progress.update(change.n, change.to, change.from);
    case progress_change::field::label:
      return progress.set_label(change.text);
    case progress_change::field::total:
      return progress.set_total(change.is_known ? std::optional<std::size_t>(change.n) : std::nullopt);
    case progress_change::field::metric:
      return progress.set_metric(change.text, change.value);
    }
  });
}

} // namespace report
} // namespace lk::parallel
