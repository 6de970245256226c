// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <stop_token>
#include <utility>

#include <lk/parallel/backends/backend.hpp>
#include <lk/parallel/backends/open_map.hpp>
#include <lk/parallel/backends/outcome.hpp>
#include <lk/parallel/backends/progress_feed.hpp>
#include <lk/parallel/backends/result_buffer.hpp>
#include <lk/parallel/base/error.hpp>

// One map in progress: reads arguments from the source as there is room for them, hands them to a back end, and gives
// out what comes back, in order or as it comes. All of it happens in the consumer's thread, inside next().

namespace lk::parallel::backends {

/// A map whose source and back end are forgotten.
template <class R> class result_stream : public open_map {
 public:
  /// The next completion, null at the end. Lifetime: until the next call. Blocks: until there is one.
  /// Throws: what the source threw, once everything before it has been given out; cancelled; worker_lost without a
  /// task; resource_error. The stream is at its end then. usage_error where two threads are in here at once, or the
  /// invoker is gone.
  virtual completion<R>* next() = 0;
};

/// What a source gives for one argument.
template <class Range> using element_of = std::ranges::range_reference_t<Range>;

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
  element_of<Range> take() {
    taken_ = true;
    return **at_;
  }

  /// Of all elements, where the range knows. To be asked before the first has_next().
  std::optional<std::size_t> size() {
    if constexpr (std::ranges::sized_range<Range>)
      return static_cast<std::size_t>(std::ranges::size(range_));
    else
      return std::nullopt;
  }

 private:
  Range range_;
  std::optional<std::ranges::iterator_t<Range>> at_;
  bool taken_ = false;
};

/// Whether taking an element may wait for something. What lies in memory and plain numbers are just there.
template <class Range> inline constexpr bool source_may_wait = !std::ranges::contiguous_range<Range>;
template <std::integral N, class Bound> inline constexpr bool source_may_wait<std::ranges::iota_view<N, Bound>> = false;

/// Nothing happens before the first next(): make_backend is called there.
template <class Range, class R> class map_stream final : public result_stream<R> {
 public:
  using backend_type = backend<element_of<Range>, R>;
  using backend_maker = std::function<std::unique_ptr<backend_type>()>;

  map_stream(Range range, stream_options options, backend_maker make_backend)
      : options_(std::move(options))
      , source_(std::move(range))
      , feed_(options_.progress)
      , results_(options_, feed_)
      , make_backend_(std::move(make_backend)) {
    options_.slot->open = this;
  }
  ~map_stream() override { end(); }

  completion<R>* next() override {
    const one_at_a_time guard(busy_);
    if (closed_) throw usage_error("the invoker of this map is gone; keep it alive as long as you iterate");
    if (ended_) return nullptr;
    results_.drop_given();
    // Where results are waiting, the back end is looked at only now and then: the consumer is what everybody waits for.
    if (n_until_look_ > 0 && results_.has_next() && !options_.stop.stop_requested()) {
      --n_until_look_;
      return results_.give();
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
    backend_type* backend;
    void operator()() const noexcept { backend->interrupt(); }
  };

  void start() {
    if (options_.stop.stop_requested()) throw cancelled();
    if (options_.hold) held_ = options_.hold();
    backend_ = make_backend_();
    if (const auto n_tasks = source_.size()) backend_->expect(*n_tasks);
    on_stop_.emplace(options_.stop, interrupter{backend_.get()});
  }

  completion<R>* find_next() {
    look();
    while (!results_.has_next()) {
      if (results_.in_flight() == 0 && source_ended_) return at_end();
      tell_progress();
      backend_->wait(feed_.next_look());
      look();
    }
    return results_.give();
  }

  void look() {
    if (options_.stop.stop_requested()) throw cancelled();
    backend_->poll(results_);
    fill();
    backend_->flush();
    tell_progress();
    constexpr std::size_t fewest = 16, most = 64;
    n_until_look_ = std::clamp(results_.n_ready() / 8, fewest, most);
  }

  void tell_progress() {
    if (options_.progress) feed_.tell(backend_->n_running());
  }

  completion<R>* at_end() {
    if (source_error_) std::rethrow_exception(std::exchange(source_error_, nullptr));
    return nullptr;
  }

  void fill() {
    std::size_t n = 0; // submitted and not counted
    try {
      while (!source_ended_) {
        const std::size_t room = std::min(window_left(), backend_->room());
        if (room == 0) break;
        while (n < room && !source_ended_) {
          if ((source_ended_ = !source_.has_next())) break;
          backend_->submit(source_.take());
          ++n;
        }
        results_.submitted(std::exchange(n, 0));
      }
    } catch (...) {
      source_error_ = std::current_exception();
      source_ended_ = true;
    }
    results_.submitted(n);
  }

  /// At least one task a worker may be on its way, however large the results that wait. Little room is none: tasks go
  /// many at a time.
  std::size_t window_left() const {
    const bool is_full = results_.ready_bytes() >= options_.window_bytes;
    const std::size_t most = is_full ? std::min(options_.window, options_.n_workers) : options_.window;
    const std::size_t left = most - std::min(most, results_.in_flight() + results_.n_ready());
    return left >= most / 16 ? left : 0;
  }

  stream_options options_;
  source<Range> source_;
  progress_feed feed_;
  result_buffer<R> results_;
  std::size_t n_until_look_ = 0; ///< results that may be given out before the back end is looked at again
  bool source_ended_ = false;
  const pid_t owner_ = ::getpid();
  bool ended_ = false;
  bool closed_ = false;
  std::atomic<bool> busy_{false};
  std::exception_ptr source_error_;
  backend_maker make_backend_;
  std::shared_ptr<void> held_;
  std::unique_ptr<backend_type> backend_;
  std::optional<std::stop_callback<interrupter>> on_stop_; // last: gone before the back end is
};

} // namespace lk::parallel::backends
