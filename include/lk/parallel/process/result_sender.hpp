// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <lk/parallel/base/asymmetric_fence.hpp>
#include <lk/parallel/base/biased_lock.hpp>
#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/fault_point.hpp>
#include <lk/parallel/process/running_task.hpp>
#include <lk/parallel/report/outlet.hpp>
#include <lk/parallel/report/progress_relay.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/cursor.hpp>
#include <lk/parallel/wire/frame.hpp>
#include <lk/parallel/wire/result_run.hpp>
#include <lk/parallel/wire/seal.hpp>

// The worker's way to the host: results, failures and log records on its result ring, in the order in which they were
// made. Results are built in place in the ring; what does not fit is built on the heap and sent in pieces. Results of a
// few bytes share frames. A full ring makes the worker wait until the host has read some of it.

namespace lk::parallel::process {

/// Threads: any thread of the worker; begin() to commit() by one at a time.
class result_sender final : public report::outlet, public result_place {
 public:
  result_sender(const shm::channel& channel, const shm::pool_page& page, const shm::event_bell& host_bell)
      : channel_(channel)
      , page_(&page)
      , host_bell_(&host_bell)
      , host_fences_for_us_(page.host_fences_for_all.load(std::memory_order_relaxed) != 0 &&
                            base::asymmetric_fence::join())
      , ring_(channel.results, channel.status->results_produced, channel.host->results_consumed) {}

  /// The calling thread is the one that runs the tasks.
  void favour_this_thread() { lock_.favour_this_thread(); }

  /// What the task told of progress goes first. commit() or forget() ends it. Blocks: while the ring is full.
  wire::writer& begin() override {
    report::progress_relay::flush();
    lock_.lock();
    tell_dropped();
    building_ = true;
    const std::size_t wish = std::min(last_result_bytes_, shm::largest_payload(ring_.capacity()));
    return writer_.emplace(reserve(wish));
  }

  void commit(wire::frame_kind kind, std::uint64_t ticket) {
    last_result_bytes_ = writer_->size();
    if (writer_->in_place()) {
      commit_frame(kind, ticket, writer_->bytes(), false);
    } else {
      send_pieces(kind, ticket, writer_->bytes());
    }
    end_building();
  }

  /// Forgets what was begun, if anything was.
  void forget() {
    if (building_) end_building();
  }

  /// The result of one of n tasks in a row, with the next tickets, whose results are all of so many bytes; it is the
  /// first of those n. They share frames as long as nothing else is sent between them. Blocks: while the ring is full.
  void send_in_run(std::uint64_t ticket, std::span<const std::byte> result, std::size_t n) {
    report::progress_relay::flush();
    const std::lock_guard held(lock_);
    if (run_.n_left == 0 || n_dropped_ != 0) open_run(ticket, result.size(), n);
    std::memcpy(run_.next, result.data(), result.size());
    run_.next += result.size();
    run_.sum.add(result.data(), result.size());
    LK_PARALLEL_FAULT_POINT("run_result_written");
    run_.reached = wire::run_state(run_.reached.n_results() + 1, result.size(), run_.sum.value());
    // release: pairs with the acquire in result_reader; the result is there before it is counted.
    run_.state->store(run_.reached.word(), std::memory_order_release);
    if (run_.reached.n_results() == 1) ring_.publish();
    if (--run_.n_left == 0) run_length_ = std::min(2 * run_length_, wire::run_state::most_results);
    tell_host();
  }

  /// Sends a whole message. Blocks: while the ring is full.
  void send(wire::frame_kind kind, std::uint64_t ticket, std::span<const std::byte> message) {
    const std::lock_guard held(lock_);
    tell_dropped();
    send_pieces(kind, ticket, message);
  }

  /// One record of the log or of progress. While this very thread is encoding a result, the record waits for the result
  /// to be complete. Where the ring is full and stays so, those that may be dropped are, and counted.
  void send(report::record_kind what, std::span<const std::byte> record, report::urgency how) override {
    const std::lock_guard held(lock_);
    const bool may_drop = how == report::urgency::may_be_dropped;
    if (may_drop && !(building_ ? deferred_bytes_ < most_deferred_bytes : finds_room(record.size()))) {
      ++n_dropped_;
    } else if (building_) {
      deferred_bytes_ += record.size();
      deferred_.push_back({kind_of(what), {record.begin(), record.end()}});
    } else {
      tell_dropped();
      send_pieces(kind_of(what), 0, record);
    }
  }

  /// Wakes the host if it sleeps and wants to hear of everything.
  void tell_host() {
    if (const auto sleep = sleep_of_host(); (sleep & 1) != 0) wake_host(sleep);
  }
  /// The same, also where it wants to hear of workers that have got so far. Units: a position of the task ring.
  void tell_host(std::uint64_t tasks_consumed) {
    const auto sleep = sleep_of_host();
    if (sleep == 0) return;
    const bool is_short = tasks_consumed >= channel_.host->refill_at.load(std::memory_order_relaxed);
    if (is_short || (sleep & 1) != 0) wake_host(sleep);
  }

 private:
  std::uint32_t sleep_of_host() const {
    // The middle of Dekker's argument; pairs with the fences in host_sleep.
    if (host_fences_for_us_)
      base::asymmetric_fence::light();
    else
      std::atomic_thread_fence(std::memory_order_seq_cst);
    return page_->host_sleeps.load(std::memory_order_acquire);
  }

  /// Once for each of its sleeps: it may take a while until it can run.
  void wake_host(std::uint32_t sleep) {
    if (rung_for_.exchange(sleep, std::memory_order_relaxed) != sleep) host_bell_->ring();
  }

  static constexpr auto patience_with_host = std::chrono::milliseconds(100);
  static constexpr std::size_t most_deferred_bytes = std::size_t{1} << 20;

  /// `payload`: what lies in the room reserved last.
  void commit_frame(wire::frame_kind kind, std::uint64_t ticket, std::span<const std::byte> payload, bool more) {
    const std::uint16_t flags = wire::frame_flags(0, more).bits();
    ring_.commit(wire::code(kind), wire::seal::on(wire::code(kind), flags, ticket, payload).field(), payload.size(),
                 flags);
    ring_.publish();
    tell_host();
  }

  void send_pieces(wire::frame_kind kind, std::uint64_t ticket, std::span<const std::byte> message) {
    const std::size_t largest = largest_piece(message.size());
    do {
      const auto piece = message.first(std::min(message.size(), largest));
      message = message.subspan(piece.size());
      const auto room = reserve(piece.size());
      if (!piece.empty()) std::memcpy(room.data(), piece.data(), piece.size());
      commit_frame(kind, ticket, piece, !message.empty());
      LK_PARALLEL_FAULT_POINT("piece_published");
    } while (!message.empty());
  }

  std::size_t largest_piece(std::size_t bytes) const {
    const std::size_t largest = shm::largest_payload(ring_.capacity());
    return bytes <= largest ? bytes : largest / 2;
  }

  /// Published with the first result.
  void open_run(std::uint64_t ticket, std::size_t bytes_each, std::size_t n_results) {
    tell_dropped();
    const std::size_t n_that_fit = (shm::largest_payload(ring_.capacity()) - sizeof(std::uint64_t)) / bytes_each;
    const std::size_t n = std::min({n_results, run_length_, n_that_fit});
    const std::size_t bytes = wire::run_state::payload_bytes(n, bytes_each);
    const auto room = reserve(bytes);
    const auto sealed = wire::seal_of_run(ticket, bytes);
    ring_.commit(wire::code(wire::frame_kind::result_run), sealed.field(), bytes);
    run_ = {.state = &wire::run_state::in(room.data()),
            .next = room.data() + wire::run_state::payload_bytes(0, bytes_each),
            .n_left = n,
            .reached = {},
            .sum = wire::running_checksum(sealed.field())};
  }

  /// The host can free the run's room then. The next ones are shorter: something else comes between results.
  void close_run() {
    if (run_.n_left == 0) return;
    run_.state->store(run_.reached.closed().word(), std::memory_order_release);
    run_.n_left = 0;
    run_length_ = 1;
  }

  std::optional<std::span<std::byte>> find_room(std::size_t bytes) {
    close_run();
    return ring_.reserve(bytes);
  }

  std::span<std::byte> reserve(std::size_t bytes) {
    while (true) {
      if (const auto room = find_room(bytes)) return *room;
      wait_for_room(bytes, [&](std::uint32_t seen) { channel_.host->bell.wait(seen); });
    }
  }

  /// Whether a log record finds room, now or within the patience; once it has run out, only now.
  bool finds_room(std::size_t bytes) {
    const std::size_t piece = largest_piece(bytes);
    if (find_room(piece)) return true;
    const auto limit = base::deadline::after(n_dropped_ == 0 ? patience_with_host : patience_with_host * 0);
    while (!ring_.reserve(piece)) {
      if (limit.passed()) return false;
      wait_for_room(piece, [&](std::uint32_t seen) { channel_.host->bell.wait(seen, patience_with_host); });
    }
    return true;
  }

  template <class Sleep> void wait_for_room(std::size_t bytes, Sleep&& sleep) {
    if (const auto of_host = sleep_of_host(); of_host != 0) wake_host(of_host);
    const auto seen = channel_.host->bell.state();
    channel_.status->sleep_begins(true);
    LK_PARALLEL_FAULT_POINT("waiting_for_room");
    if (!ring_.reserve(bytes)) sleep(seen);
    channel_.status->sleep_ended(true);
  }

  static wire::frame_kind kind_of(report::record_kind what) {
    return what == report::record_kind::progress ? wire::frame_kind::progress : wire::frame_kind::log_record;
  }

  void tell_dropped() {
    if (n_dropped_ == 0) return;
    const std::uint64_t n = std::exchange(n_dropped_, 0);
    send_pieces(wire::frame_kind::log_dropped, 0, std::as_bytes(std::span(&n, 1)));
  }

  void end_building() {
    writer_.reset();
    building_ = false;
    for (const auto& [kind, record] : deferred_) send_pieces(kind, 0, record);
    deferred_.clear();
    deferred_bytes_ = 0;
    lock_.unlock();
  }

  shm::channel channel_;
  const shm::pool_page* page_;
  const shm::event_bell* host_bell_;
  const bool host_fences_for_us_;
  base::biased_lock lock_;
  shm::ring_writer ring_;
  std::optional<wire::writer> writer_;
  std::size_t last_result_bytes_ = 0;
  std::atomic<std::uint32_t> rung_for_{0}; ///< number of the host's sleep that this worker rang for last
  bool building_ = false;
  struct run {
    std::atomic<std::uint64_t>* state = nullptr;
    std::byte* next = nullptr; ///< where the next result goes
    std::size_t n_left = 0;    ///< how many more find room; 0: none is open
    wire::run_state reached;
    wire::running_checksum sum;
  };
  run run_;
  std::size_t run_length_ = wire::run_state::most_results; ///< of the next one
  struct deferred_record {
    wire::frame_kind kind;
    std::vector<std::byte> bytes;
  };
  std::vector<deferred_record> deferred_; ///< made while a result was being built
  std::size_t deferred_bytes_ = 0;
  std::uint64_t n_dropped_ = 0; ///< log records, not told yet
};

} // namespace lk::parallel::process
