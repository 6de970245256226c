// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <lk/parallel/report/outlet.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/cursor.hpp>
#include <lk/parallel/wire/frame.hpp>

// The worker's way to the host: results, failures and log records on its result ring, in the order in which they were
// made. Results are built in place in the ring; what does not fit is built on the heap and sent in pieces. A full ring
// makes the worker wait until the host has read some of it.

namespace lk::parallel::process {

/// Threads: any thread of the worker; begin() to commit() by one at a time.
class result_sender final : public report::outlet {
 public:
  result_sender(const shm::channel& channel, const shm::pool_page& page, const shm::event_bell& host_bell)
      : channel_(channel)
      , page_(&page)
      , host_bell_(&host_bell)
      , ring_(channel.results, channel.status->results_produced, channel.host->results_consumed) {}

  /// A writer for the result of the task being run; commit() or forget() ends it. Blocks: while the ring is full.
  wire::writer& begin() {
    lock_.lock();
    building_ = true;
    const std::size_t wish = std::min(last_result_bytes_, shm::largest_payload(ring_.capacity()));
    return writer_.emplace(reserve(wish));
  }

  void commit(wire::frame_kind kind, std::uint64_t ticket) {
    last_result_bytes_ = writer_->size();
    if (writer_->in_place()) {
      ring_.commit(wire::code(kind), ticket, writer_->size());
      publish();
    } else {
      send_pieces(kind, ticket, writer_->bytes());
    }
    end_building();
  }

  /// Forgets what was begun, if anything was.
  void forget() {
    if (building_) end_building();
  }

  /// Sends a whole message. Blocks: while the ring is full.
  void send(wire::frame_kind kind, std::uint64_t ticket, std::span<const std::byte> message) {
    const std::lock_guard held(lock_);
    send_pieces(kind, ticket, message);
  }

  /// One log record. While this very thread is encoding a result, the record waits for the result to be complete.
  void send(std::span<const std::byte> record) override {
    const std::lock_guard held(lock_);
    if (building_)
      deferred_records_.emplace_back(record.begin(), record.end());
    else
      send_pieces(wire::frame_kind::log_record, 0, record);
  }

  /// Wakes the host if it sleeps, once for each of its sleeps: it may take a while until it can run.
  void tell_host() {
    // seq_cst: the middle of Dekker's argument; pairs with the fence in supervisor::wait.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const auto sleep = page_->host_sleeps.load(std::memory_order_relaxed);
    if (sleep != 0 && rung_for_.exchange(sleep, std::memory_order_relaxed) != sleep) host_bell_->ring();
  }

 private:
  void publish() {
    ring_.publish();
    tell_host();
  }

  void send_pieces(wire::frame_kind kind, std::uint64_t ticket, std::span<const std::byte> message) {
    const std::size_t largest = message.size() <= shm::largest_payload(ring_.capacity())
                                    ? message.size()
                                    : shm::largest_payload(ring_.capacity()) / 2;
    do {
      const auto piece = message.first(std::min(message.size(), largest));
      message = message.subspan(piece.size());
      if (!piece.empty())
        std::memcpy(reserve(piece.size()).data(), piece.data(), piece.size());
      else
        reserve(0);
      ring_.commit(wire::code(kind), ticket, piece.size(), wire::frame_flags(0, !message.empty()).bits());
      publish();
    } while (!message.empty());
  }

  std::span<std::byte> reserve(std::size_t bytes) {
    while (true) {
      if (const auto room = ring_.reserve(bytes)) return *room;
      const auto seen = channel_.host->bell.state();
      channel_.status->sleeps.fetch_add(1, std::memory_order_relaxed);
      // seq_cst: pairs with the fence in worker_slot::wake_if_asleep.
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (!ring_.reserve(bytes)) channel_.host->bell.wait(seen);
      channel_.status->sleeps.fetch_sub(1, std::memory_order_relaxed);
    }
  }

  void end_building() {
    writer_.reset();
    building_ = false;
    for (const auto& record : deferred_records_) send_pieces(wire::frame_kind::log_record, 0, record);
    deferred_records_.clear();
    lock_.unlock();
  }

  shm::channel channel_;
  const shm::pool_page* page_;
  const shm::event_bell* host_bell_;
  std::recursive_mutex lock_;
  shm::ring_writer ring_;
  std::optional<wire::writer> writer_;
  std::size_t last_result_bytes_ = 0;
  std::atomic<std::uint32_t> rung_for_{0}; ///< number of the host's sleep that this worker rang for last
  bool building_ = false;
  std::vector<std::vector<std::byte>> deferred_records_;
};

} // namespace lk::parallel::process
