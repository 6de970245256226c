// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include <lk/parallel/backends/open_map.hpp>
#include <lk/parallel/backends/outcome.hpp>
#include <lk/parallel/backends/progress_feed.hpp>
#include <lk/parallel/backends/reorder_window.hpp>

// What has come back from the tasks of one map and is not given out yet, and the counts of all its tasks. Knows the
// type of the results only, so that one buffer serves every back end.

namespace lk::parallel::backends {

template <class R> struct completion {
  std::size_t index;
  outcome<R> what;
};

/// Threads: the consumer's.
template <class R> class result_buffer {
 public:
  result_buffer(const stream_options& options, progress_feed& feed)
      : in_order_(options.in_order)
      , slot_(options.slot)
      , feed_(feed)
      , waiting_(options.first_task)
      , n_arrived_(options.first_task) {}

  /// Units: bytes the outcome took on its way here, 0 where it did not travel.
  void on_done(std::size_t index, outcome<R>&& what, std::size_t bytes) {
    note_arrivals(1, bytes, what.has_value());
    waiting_.put(in_order_ ? index : n_arrived_++, bytes, index, std::move(what));
  }
  /// The same for a result.
  void on_value(std::size_t index, result_value<R>&& value, std::size_t bytes) {
    note_arrivals(1, bytes, true);
    waiting_.put(in_order_ ? index : n_arrived_++, bytes, index, std::move(value));
  }
  /// The same for those of n tasks from `first` on, of as many bytes each; value(i) makes the i-th and does not throw.
  template <class Value> void on_values(std::size_t first, std::size_t n, std::size_t bytes_each, Value&& value) {
    note_arrivals(n, n * bytes_each, true);
    for (std::size_t i = 0; i < n; ++i)
      waiting_.put(in_order_ ? first + i : n_arrived_++, bytes_each, first + i, value(i));
  }
  /// Whether an outcome is of no use before those of all tasks before it.
  bool takes_in_order() const { return in_order_; }
  /// Whether the rest had better wait where it is for now; a back end may hand it over all the same. Results that wait
  /// there cost nothing; those that wait here are out of the cache when their turn comes.
  bool has_enough() const {
    constexpr std::size_t enough_bytes = std::size_t{32} << 10, enough_results = 512;
    return (n_ready_ > enough_results || ready_bytes_ > enough_bytes) && has_next();
  }

  /// So many tasks are on their way.
  void submitted(std::size_t n) {
    in_flight_ += n;
    feed_.dispatched(n);
  }

  bool has_next() const { return waiting_.has_next(); }
  /// Requires has_next(). What is given stays where it is until drop_given().
  completion<R>* give() {
    arrival& next = waiting_.next();
    --n_ready_;
    ready_bytes_ -= next.bytes;
    has_given_ = true;
    return &next.what;
  }
  void drop_given() {
    if (std::exchange(has_given_, false)) waiting_.drop_next();
  }

  std::size_t in_flight() const { return in_flight_; }     ///< submitted and not come back
  std::size_t n_ready() const { return n_ready_; }         ///< come back and not given out
  std::size_t ready_bytes() const { return ready_bytes_; } ///< of those

 private:
  struct arrival {
    template <class What>
    arrival(std::size_t n, std::size_t index, What&& done)
        : bytes(n)
        , what{index, outcome<R>(std::forward<What>(done))} {}
    std::size_t bytes;
    completion<R> what;
  };

  void note_arrivals(std::size_t n, std::size_t bytes, bool well) {
    in_flight_ -= n;
    n_ready_ += n;
    slot_->tasks_finished += n;
    ready_bytes_ += bytes;
    feed_.done(well, n);
  }

  const bool in_order_;
  const std::shared_ptr<map_slot> slot_;
  progress_feed& feed_;
  reorder_window<arrival> waiting_; ///< by index, or in the order of their arrival
  std::size_t n_arrived_;           ///< numbers them in that order
  std::size_t in_flight_ = 0, n_ready_ = 0, ready_bytes_ = 0;
  bool has_given_ = false;
};

} // namespace lk::parallel::backends
