// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include <lk/parallel/wire/frame.hpp>
#include <lk/parallel/wire/seal.hpp>

// Results of a few bytes of tasks with consecutive tickets, which share a frame: a state word, then the results one
// after the other. The frame is published with its first result, at its full length, and the worker goes on to fill it:
// after each result it renews the state, and what the state counts is finished. So nothing waits for its neighbours,
// and a result costs its own bytes only.

namespace lk::parallel::wire {

/// How far a run has come, in one word, so that it is read and written as a whole.
class run_state {
 public:
  static constexpr std::size_t most_results = 64; ///< in one frame

  constexpr run_state() = default;
  constexpr explicit run_state(std::uint64_t word) : word_(word) {}
  constexpr run_state(std::size_t n_results, std::size_t bytes_each, std::uint32_t checksum)
      : word_(std::uint64_t{checksum} << 32 | std::uint64_t{bytes_each} << 16 | n_results) {}

  constexpr std::uint64_t word() const { return word_; }
  constexpr std::size_t n_results() const { return word_ & (closed_bit - 1); }
  constexpr std::size_t bytes_each() const { return (word_ >> 16) & 0xffff; }
  constexpr bool is_closed() const { return (word_ & closed_bit) != 0; }

  /// That no more results will come, though there is room. The checksum changes with it: no single stray bit says so.
  constexpr run_state closed() const { return run_state(word_ ^ closing); }
  /// Whether it was written for results with this checksum.
  constexpr bool fits(std::uint32_t checksum) const {
    const std::uint64_t open = is_closed() ? word_ ^ closing : word_;
    return open == run_state(n_results(), bytes_each(), checksum).word_;
  }

  /// In the payload of a frame. Requires that it is aligned as frames are.
  static std::atomic<std::uint64_t>& in(std::byte* payload) {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(payload);
  }
  static const std::atomic<std::uint64_t>& in(const std::byte* payload) {
    return *reinterpret_cast<const std::atomic<std::uint64_t>*>(payload);
  }

  static constexpr std::size_t payload_bytes(std::size_t n_results, std::size_t bytes_each) {
    return sizeof(std::uint64_t) + n_results * bytes_each;
  }

 private:
  static constexpr std::uint64_t closed_bit = 1U << 15;
  static constexpr std::uint64_t closing = closed_bit | 0x9e3779b9ULL << 32;

  std::uint64_t word_ = 0;
};

/// The seal in the header of a run whose first result is that of this ticket.
inline seal seal_of_run(std::uint64_t first_ticket, std::size_t payload_bytes) {
  return seal::on(code(frame_kind::result_run), 0, first_ticket, std::as_bytes(std::span(&payload_bytes, 1)));
}

} // namespace lk::parallel::wire
