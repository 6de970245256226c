// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/process/running_task.hpp>
#include <lk/parallel/shm/frame.hpp>
#include <lk/parallel/wire/frame.hpp>
#include <lk/parallel/wire/result_run.hpp>
#include <lk/parallel/wire/seal.hpp>

// The host's look at one run of results while the worker fills it. Results are copied first, and checked in the copy.

namespace lk::parallel::process {

/// Threads: one at a time.
class run_reader {
 public:
  bool is_open() const { return state_ != nullptr; }
  /// Whether there is a result that was not given, or the worker has gone on. Requires is_open().
  bool has_news() const { return n_ready() > 0 || state_->load(std::memory_order_relaxed) != reached_.word(); }

  /// Takes in what has come since the last look; the first look opens it. The frame is the oldest one on the ring.
  /// Throws: wire_error where the worker has written what cannot be true.
  void look(const shm::frame& frame) {
    if (!is_open()) open(frame);
    if (frame.payload.size() != payload_bytes_) throw_written_over(); // since: the ring has just read it again
    // acquire: pairs with the release in result_sender; what is counted has been written.
    const wire::run_state now(state_->load(std::memory_order_acquire));
    if (now.word() != reached_.word()) take_in(now, frame);
  }

  std::size_t n_ready() const { return reached_.n_results() - n_given_; }
  /// Of the results that are ready: lower half of the first one's ticket, bytes, and where they lie one after the
  /// other.
  std::uint32_t ticket() const { return seal_.ticket() + static_cast<std::uint32_t>(n_given_); }
  std::size_t bytes_each() const { return reached_.bytes_each(); }
  const std::byte* next() const { return results_ + n_given_ * bytes_each(); }

  /// Requires n <= n_ready().
  void give(std::size_t n) { n_given_ += n; }

  /// Whether all is given and no more will come: the frame may be stepped over.
  bool is_over() const { return n_ready() == 0 && (reached_.is_closed() || n_given_ == capacity_); }
  void close() {
    state_ = nullptr;
    reached_ = {};
    n_given_ = 0;
  }

 private:
  void open(const shm::frame& frame) {
    const wire::seal sealed(frame.header.ticket);
    const bool is_whole = sealed.field() == wire::seal_of_run(sealed.ticket(), frame.payload.size()).field();
    if (!is_whole || frame.header.flags != 0 || frame.payload.size() < sizeof(std::uint64_t)) throw_written_over();
    seal_ = sealed;
    payload_bytes_ = frame.payload.size();
    sum_ = wire::running_checksum(sealed.field());
    capacity_ = SIZE_MAX; // until the state tells the size of a result
    state_ = &wire::run_state::in(frame.payload.data());
  }

  void take_in(wire::run_state now, const shm::frame& frame) {
    const std::size_t first = reached_.n_results(), n = now.n_results(), bytes = now.bytes_each();
    if (first == 0) {
      const std::size_t all = frame.payload.size() - wire::run_state::payload_bytes(0, bytes);
      if (bytes == 0 || bytes > most_plain_bytes || all % bytes != 0) throw_written_over();
      capacity_ = all / bytes;
    }
    const bool goes_on = n >= first && n <= capacity_ && capacity_ <= wire::run_state::most_results &&
                         (first == 0 || bytes == reached_.bytes_each()) && !reached_.is_closed();
    if (!goes_on) throw_written_over();
    const std::size_t at = first * bytes, end = n * bytes;
    std::memcpy(results_ + at, frame.payload.data() + wire::run_state::payload_bytes(first, bytes), end - at);
    asm volatile("" : : "r"(results_) : "memory"); // from here on nobody goes back to the source
    if (bytes == 8)
      add<8>(at, end);
    else if (bytes == 4)
      add<4>(at, end);
    else
      for (std::size_t i = at; i < end; i += bytes) sum_.add(results_ + i, bytes);
    if (!now.fits(sum_.value())) throw_written_over();
    reached_ = now;
  }

  template <std::size_t Bytes> void add(std::size_t at, std::size_t end) {
    for (; at < end; at += Bytes) sum_.add(results_ + at, Bytes);
  }

  [[noreturn]] static void throw_written_over() { throw wire_error("a worker's run of results was written over"); }

  const std::atomic<std::uint64_t>* state_ = nullptr; ///< on the ring; null: none is open
  wire::seal seal_{0};
  wire::run_state reached_; ///< as last looked at, and found to be right
  wire::running_checksum sum_;
  std::size_t payload_bytes_ = 0;
  std::size_t n_given_ = 0, capacity_ = 0; ///< results
  alignas(64) std::byte results_[wire::run_state::most_results * most_plain_bytes];
};

} // namespace lk::parallel::process
