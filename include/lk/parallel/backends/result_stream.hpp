// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <stop_token>
#include <utility>

#include <lk/parallel/backends/backend.hpp>
#include <lk/parallel/backends/outcome.hpp>
#include <lk/parallel/backends/progress_feed.hpp>
#include <lk/parallel/backends/reorder_window.hpp>
#include <lk/parallel/base/error.hpp>

// One map in progress: reads arguments from the source as there is room for them, hands them to a back end, and gives
// out what comes back, in order or as it comes. All of it happens in the consumer's thread, inside next().

namespace lk::parallel::backends {

template <class R> struct completion {
  std::size_t index;
  outcome<R> what;
};

/// A map in progress, as its invoker sees it.
class open_map {
 public:
  virtual ~open_map() = default;
  /// Abandons what is unfinished. May be called again.
  virtual void end() noexcept = 0;
  /// As end(), since the invoker is going away: what follows is a usage_error.
  virtual void close() noexcept = 0;
  /// Whether somebody is inside next().
  virtual bool is_busy() const noexcept = 0;
};

/// A map whose source and back end are forgotten.
template <class R> class result_stream : public open_map {
 public:
  /// The next completion, null at the end. Lifetime: until the next call. Blocks: until there is one.
  /// Throws: what the source threw, once everything before it has been given out; cancelled; worker_lost without a
  /// task; resource_error. The stream is at its end then. usage_error where two threads are in here at once, or the
  /// invoker is gone.
  virtual completion<R>* next() = 0;
};

/// What an invoker and its maps share. Written by whichever map is in progress.
struct map_slot {
  open_map* open = nullptr;         ///< the map in progress
  std::uint64_t tasks_finished = 0; ///< of all maps, failed ones included
};

struct stream_options {
  bool in_order = true;
  std::size_t window = 0;       ///< most tasks between the consumer and the source; at least 1
  std::size_t window_bytes = 0; ///< most encoded bytes that wait for the consumer
  std::size_t n_workers = 1;
  std::shared_ptr<Progress> progress;
  std::stop_token stop;
  std::shared_ptr<map_slot> slot;                   ///< of the invoker
  std::function<std::shared_ptr<void>()> hold = {}; ///< called at the start; what it gives is let go at the end
};

/// The elements of a range, one at a time, none earlier than asked for.
template <std::ranges::input_range Range> class source {
 public:
  explicit source(Range range) : range_(std::move(range)) {}

  /// Whether there is another element to take(). Throws: what the range's iterator throws.
  bool has_next() {
    if (!at_)
      at_.emplace(std::ranges::begin(range_));
    else if (taken_)
      ++*at_;
    taken_ = false;
    return *at_ != std::ranges::end(range_);
  }
  decltype(auto) take() {
    taken_ = true;
    return **at_;
  }

 private:
  Range range_;
  std::optional<std::ranges::iterator_t<Range>> at_;
  bool taken_ = false;
};

/// Nothing happens before the first next(): make_backend, which gives a std::unique_ptr<Backend>, is called there.
template <class Range, class Backend, class R, class MakeBackend>
class map_stream final : public result_stream<R>, completion_sink<R> {
 public:
  map_stream(Range range, stream_options options, MakeBackend make_backend)
      : options_(std::move(options))
      , source_(std::move(range))
      , feed_(options_.progress)
      , make_backend_(std::move(make_backend)) {
    options_.slot->open = this;
  }
  ~map_stream() override { end(); }

  completion<R>* next() override {
    const one_at_a_time guard(busy_);
    if (closed_) throw usage_error("the invoker of this map is gone; keep it alive as long as you iterate");
    if (ended_) return nullptr;
    drop_given();
    // Where results are waiting, the back end is looked at only now and then: the consumer is what everybody waits for.
    if (n_until_look_ > 0 && has_ready() && !options_.stop.stop_requested()) {
      --n_until_look_;
      return give();
    }
    try {
      if (!backend_) start();
      auto* const found = find_next();
      if (found == nullptr) end();
      return found;
    } catch (...) {
      end();
      throw;
    }
  }

  void on_done(std::size_t index, outcome<R>&& what, std::size_t bytes) override {
    note_arrival(bytes, what.has_value());
    if (options_.in_order)
      in_order_.put(index, bytes, index, std::move(what));
    else
      as_they_come_.emplace_back(bytes, index, std::move(what));
  }
  [[gnu::always_inline]] void on_value(std::size_t index, result_value<R>&& value, std::size_t bytes) override {
    note_arrival(bytes, true);
    if (options_.in_order)
      in_order_.put(index, bytes, index, std::move(value));
    else
      as_they_come_.emplace_back(bytes, index, std::move(value));
  }

  bool takes_in_order() const override { return options_.in_order; }
  /// Results that wait in the back end cost nothing; those that wait here are out of the cache when their turn comes.
  bool has_enough() const override {
    constexpr std::size_t enough_bytes = std::size_t{32} << 10, enough_results = 512;
    return (n_ready_ > enough_results || ready_bytes_ > enough_bytes) && has_ready();
  }

  void end() noexcept override {
    if (std::exchange(ended_, true)) return;
    if (::getpid() != owner_) return leave_alone();
    on_stop_.reset();
    feed_.end();
    if (backend_) backend_->end();
    held_.reset();
    options_.slot->open = nullptr;
  }

  void close() noexcept override {
    closed_ = closed_ || !ended_;
    end();
  }

  bool is_busy() const noexcept override { return busy_.load(std::memory_order_relaxed); }

 private:
  /// In a child that the host has forked inside its loop: threads and memory of the map exist in the parent only, so
  /// nothing of it may be touched or destroyed here.
  void leave_alone() noexcept {
    [[maybe_unused]] auto* const of_parent = backend_.release();
    new std::shared_ptr<void>(std::move(held_));
    options_.slot->open = nullptr;
  }

  /// A help for those who err, not a lock: two threads that come within nanoseconds of each other are not noticed. An
  /// atomic exchange would cost more than all else that is done for a small result.
  class one_at_a_time {
   public:
    explicit one_at_a_time(std::atomic<bool>& busy) : busy_(busy) {
      if (busy_.load(std::memory_order_acquire))
        throw usage_error("two threads iterate over one map at the same time; give each thread an invoker of its own");
      busy_.store(true, std::memory_order_relaxed);
    }
    ~one_at_a_time() { busy_.store(false, std::memory_order_release); }
    one_at_a_time(const one_at_a_time&) = delete;
    one_at_a_time& operator=(const one_at_a_time&) = delete;

   private:
    std::atomic<bool>& busy_;
  };

  struct interrupter {
    Backend* backend;
    void operator()() const noexcept { backend->interrupt(); }
  };

  void start() {
    if (options_.stop.stop_requested()) throw cancelled();
    if (options_.hold) held_ = options_.hold();
    backend_ = make_backend_();
    on_stop_.emplace(options_.stop, interrupter{backend_.get()});
  }

  completion<R>* find_next() {
    look();
    while (!has_ready()) {
      if (in_flight_ == 0 && source_ended_) return at_end();
      tell_progress();
      backend_->wait(feed_.next_look());
      look();
    }
    return give();
  }

  void look() {
    if (options_.stop.stop_requested()) throw cancelled();
    backend_->poll(*this);
    fill();
    backend_->flush();
    tell_progress();
    constexpr std::size_t fewest = 16, most = 64;
    n_until_look_ = std::clamp(n_ready_ / 8, fewest, most);
  }

  void tell_progress() {
    if (options_.progress) feed_.tell(backend_->n_running());
  }

  completion<R>* at_end() {
    if (source_error_) std::rethrow_exception(std::exchange(source_error_, nullptr));
    return nullptr;
  }

  void fill() {
    while (!source_ended_ && has_window() && backend_->has_room()) {
      try {
        if (!source_.has_next()) return source_over();
        backend_->submit(source_.take());
      } catch (...) {
        source_error_ = std::current_exception();
        return source_over();
      }
      ++in_flight_;
      feed_.dispatched();
    }
  }

  void source_over() { source_ended_ = true; }

  /// At least one task a worker may be on its way, however large the results that wait.
  bool has_window() const {
    if (in_flight_ + n_ready_ >= options_.window) return false;
    return ready_bytes_ < options_.window_bytes || in_flight_ + n_ready_ < options_.n_workers;
  }

  void note_arrival(std::size_t bytes, bool well) {
    --in_flight_;
    ++n_ready_;
    ++options_.slot->tasks_finished;
    ready_bytes_ += bytes;
    feed_.done(well);
  }

  bool has_ready() const { return options_.in_order ? in_order_.has_next() : !as_they_come_.empty(); }

  /// Requires has_ready(). What is given stays where it is until drop_given().
  completion<R>* give() {
    arrival& next = options_.in_order ? in_order_.next() : as_they_come_.front();
    --n_ready_;
    ready_bytes_ -= next.bytes;
    has_given_ = true;
    return &next.what;
  }

  void drop_given() {
    if (!std::exchange(has_given_, false)) return;
    if (options_.in_order)
      in_order_.drop_next();
    else
      as_they_come_.pop_front();
  }

  struct arrival {
    template <class What>
    arrival(std::size_t n, std::size_t index, What&& done)
        : bytes(n)
        , what{index, outcome<R>(std::forward<What>(done))} {}
    std::size_t bytes;
    completion<R> what;
  };

  stream_options options_;
  source<Range> source_;
  progress_feed feed_;
  std::size_t in_flight_ = 0;    ///< submitted and not come back
  std::size_t n_ready_ = 0;      ///< come back and not given out
  std::size_t ready_bytes_ = 0;  ///< of those
  std::size_t n_until_look_ = 0; ///< results that may be given out before the back end is looked at again
  bool has_given_ = false;
  bool source_ended_ = false;
  const pid_t owner_ = ::getpid();
  bool ended_ = false;
  bool closed_ = false;
  std::atomic<bool> busy_{false};
  std::exception_ptr source_error_;
  reorder_window<arrival> in_order_;
  std::deque<arrival> as_they_come_;
  MakeBackend make_backend_;
  std::shared_ptr<void> held_;
  std::unique_ptr<Backend> backend_;
  std::optional<std::stop_callback<interrupter>> on_stop_; // last: gone before the back end is
};

} // namespace lk::parallel::backends
