// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/report/library_log.hpp>
#include <lk/parallel/report/progress.hpp>
#include <lk/parallel/report/progress_relay.hpp>
#include <lk/parallel/report/progress_state.hpp>
#include <lk/parallel/report/progress_table.hpp>

// What a Progress does: keeps the counts, serialises the drawing, keeps a display's failures away from the work, and in
// a worker passes the changes on to the host.

namespace lk::parallel::report {

/// Threads: any. Fork: a worker's changes are told to the host; in any other child nothing happens.
class own_keeper final : public progress_keeper {
 public:
  own_keeper(progress_snapshot begin, Progress& shown) : now_(std::move(begin)), shown_(shown) {
    progress_table::instance().add(id_, shown);
  }
  own_keeper(const own_keeper&) = delete;
  own_keeper& operator=(const own_keeper&) = delete;
  ~own_keeper() override {
    if (::getpid() == owner_) progress_table::instance().remove(id_);
  }

  void update(std::size_t n, progress_state to, std::optional<progress_state> from) noexcept override {
    if (::getpid() != owner_) return in_worker([&](auto& relay) { relay.update(id_, n, to, from); });
    change([&] { now_.move(n, to, from); });
  }
  void go_on_from(std::size_t n) noexcept override {
    change([&] {
      now_.move(n, progress_state::finished, {});
      now_.done_before += n;
    });
  }
  void set_label(std::string label) noexcept override {
    if (::getpid() != owner_)
      return in_worker([&](auto& relay) { relay.send({.id = id_, .what = field::label, .text = std::move(label)}); });
    change([&] { now_.label = std::move(label); });
  }
  void set_total(std::optional<std::size_t> total) noexcept override {
    if (::getpid() != owner_)
      return in_worker([&](auto& relay) {
        relay.send({.id = id_, .what = field::total, .n = total.value_or(0), .is_known = total.has_value()});
      });
    change([&] { now_.total = total; });
  }
  void set_metric(std::string name, double value) noexcept override {
    if (::getpid() != owner_)
      return in_worker([&](auto& relay) {
        relay.send({.id = id_, .what = field::metric, .text = std::move(name), .value = value});
      });
    change([&] {
      now_.metric_name = std::move(name);
      now_.metric = value;
    });
  }
  void refresh() noexcept override {
    change([] {});
  }
  void finish() noexcept override {
    change([&] { now_.finished = true; });
  }

 private:
  using clock = std::chrono::steady_clock;
  using field = progress_change::field;

  template <class Tell> static void in_worker(Tell&& tell) noexcept {
    if (auto* const relay = progress_relay::instance()) tell(*relay);
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
      shown_.show(now_);
    } catch (const std::exception& e) {
      give_up(e.what());
    } catch (...) {
      give_up("an exception of an unknown type");
    }
  }

  [[gnu::cold]] void give_up(const char* why) noexcept {
    broken_ = true;
    try {
      report_error("the progress display of \"" + now_.label + "\" failed and is off from here: " + why);
    } catch (...) { // no memory for the sentence
      report_error("a progress display failed and is off from here");
    }
  }

  const pid_t owner_ = ::getpid();
  const std::uint64_t id_ = progress_table::next_id();
  std::mutex mutex_; // guards everything below
  progress_snapshot now_;
  Progress& shown_;
  std::optional<clock::time_point> started_;
  bool broken_ = false; // show() has thrown
};

LK_PARALLEL_DEFINITION std::unique_ptr<progress_keeper> keep_progress(progress_snapshot begin, Progress& shown) {
  return std::make_unique<own_keeper>(std::move(begin), shown);
}

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

} // namespace lk::parallel::report
