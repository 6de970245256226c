// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/report/progress_state.hpp>

// The base of every progress display. Whoever does the work moves items between states; a derived class draws. What it
// takes to do that right is in progress_keeper.hpp.

namespace lk::parallel {

class Progress;

namespace report {

/// What a Progress does; its members are explained there.
class progress_keeper {
 public:
  virtual ~progress_keeper() = default;
  virtual void update(std::size_t n, progress_state to, std::optional<progress_state> from) noexcept = 0;
  virtual void go_on_from(std::size_t n) noexcept = 0;
  virtual void set_label(std::string label) noexcept = 0;
  virtual void set_total(std::optional<std::size_t> total) noexcept = 0;
  virtual void set_metric(std::string name, double value) noexcept = 0;
  virtual void refresh() noexcept = 0;
  virtual void finish() noexcept = 0;
};
class own_keeper;

/// Lifetime: as long as what it shows. Throws: std::bad_alloc.
LK_PARALLEL_FUNCTION std::unique_ptr<progress_keeper> keep_progress(progress_snapshot begin, Progress& shown);

} // namespace report

/// Progress of one piece of work, as in LensKit (lenskit.logging.Progress).
/// Threads: every public member may be called from any thread.
/// Fork: in a worker the changes are made in the host, within 50 ms or at the end of the task; finish() and refresh()
/// do nothing there. In any other child of the process that made it, every member does nothing. Throws: nothing; an
/// exception of show() is logged once to "lk.parallel" and ends the drawing, not the counting.
/// Lifetime: a derived class calls finish() in its own destructor; in that of Progress its show() is gone.
class Progress {
 public:
  /// Where an item is.
  using state = progress_state;

  /// `total` is empty where it is not known; `unit` is what is counted, in the plural, or empty.
  Progress(std::string label, std::optional<std::size_t> total, std::string unit)
      : keeper_(report::keep_progress({.label = std::move(label), .unit = std::move(unit), .total = total}, *this)) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  virtual ~Progress() = default;

  /// Moves n items into a state, out of `from` or, without one, from outside.
  void update(std::size_t n = 1, state to = state::finished, std::optional<state> from = {}) noexcept {
    keeper_->update(n, to, from);
  }
  /// n items were done by a run before this one, which goes on with the rest: they are finished, but count in no rate.
  void go_on_from(std::size_t n) noexcept { keeper_->go_on_from(n); }
  /// What is being done now.
  void set_label(std::string label) noexcept { keeper_->set_label(std::move(label)); }
  /// How many items there are; empty: not known.
  void set_total(std::optional<std::size_t> total) noexcept { keeper_->set_total(total); }
  /// A value worth watching ("loss"), shown behind the counts with four significant digits.
  void set_metric(std::string name, double value) noexcept { keeper_->set_metric(std::move(name), value); }
  /// Time has passed and nothing else: lets a display show it.
  void refresh() noexcept { keeper_->refresh(); }
  /// Draws the final state. Later changes are ignored, a second call too.
  void finish() noexcept { keeper_->finish(); }

 protected:
  /// Draws what is true now. Called after every change, so it decides itself what is worth drawing; the call with
  /// now.finished is the last. Threads: one call at a time. It must not call the public members.
  virtual void show(const report::progress_snapshot& now) = 0;

 private:
  friend report::own_keeper; // it calls show()
  const std::unique_ptr<report::progress_keeper> keeper_;
};

} // namespace lk::parallel

#ifndef LK_PARALLEL_COMPILED
#include <lk/parallel/report/progress_keeper.hpp>
#endif
