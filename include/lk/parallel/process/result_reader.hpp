// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/process/run_reader.hpp>
#include <lk/parallel/process/worker_bell.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/frame.hpp>
#include <lk/parallel/wire/seal.hpp>

// The host's end of one worker's result ring: whole messages out of frames, each held against its seal. What a worker
// wrote lies in memory that it can still write, so nothing is believed that was not looked at in the same copy.

namespace lk::parallel::process {

/// Threads: one at a time.
class result_reader {
 public:
  result_reader(const shm::channel& channel, worker_bell& bell)
      : ring_(channel.results, channel.status->results_produced, channel.host->results_consumed)
      , bell_(&bell) {}

  /// Whether next_message() or next_results() would find something that is new.
  bool has_news() const { return run_.is_open() ? run_.has_news() : ring_.has_frames(); }

  /// Hands the oldest wire::message to fn. False where there is none.
  /// Throws: wire_error where the worker has written what cannot be true; what fn throws.
  template <class Fn> [[gnu::always_inline]] bool next_message(Fn&& fn) {
    while (const auto frame = ring_.peek()) {
      if (frame->header.kind == run_of_results) {
        if (look_at_run(*frame)) {
          fn(take_one_of_run());
          return true;
        }
        if (run_.is_open()) return false;
        continue;
      }
      const auto kind = frame->header.kind, flags = frame->header.flags;
      const wire::seal sealed(frame->header.ticket);
      small_payload copy;
      const auto payload = copy.of(frame->payload);
      if (!sealed.is_whole(kind, flags, payload)) throw wire_error("a worker's frame was written over");
      ring_.pop(); // its memory stays as it is until free()
      if (!wire::frame_flags(flags).more() && pieces_.is_empty()) [[likely]] {
        const bool is_copy = payload.data() != frame->payload.data();
        fn(wire::message{static_cast<wire::frame_kind>(kind), flags, sealed, payload, is_copy});
        return true;
      }
      if (const auto whole = take_piece(kind, flags, sealed, payload)) {
        const bool is_copy = whole->data() != frame->payload.data();
        fn(wire::message{static_cast<wire::frame_kind>(kind), flags, sealed, *whole, is_copy});
        pieces_.release();
        return true;
      }
      free(); // the worker may be waiting for room for the next piece
    }
    return false;
  }

  /// Copies the results of that very task and the next ones, at most so many of so many bytes, as long as they come
  /// next and each in one frame, or share one. Stops at anything else, damaged frames included: next_message() says
  /// what to make of those. Returns their number. Throws: wire_error where a position or length cannot be true.
  std::size_t next_results(std::uint64_t ticket, std::size_t most, std::size_t bytes_each, std::byte* into) {
    if (!pieces_.is_empty()) return 0;
    while (const auto frame = ring_.peek()) {
      if (frame->header.kind != run_of_results) break;
      if (look_at_run(*frame)) return copy_from_run(ticket, most, bytes_each, into);
      if (run_.is_open()) return 0;
    }
    switch (bytes_each) {
    case 4:
      return copy_results<4>(ticket, most, bytes_each, into);
    case 8:
      return copy_results<8>(ticket, most, bytes_each, into);
    case 16:
      return copy_results<16>(ticket, most, bytes_each, into);
    default:
      return copy_results<any>(ticket, most, bytes_each, into);
    }
  }

  /// Gives the room of everything taken so far back to the worker.
  void free() {
    if (ring_.position() == freed_) return;
    freed_ = ring_.position();
    ring_.publish();
    bell_->ring_for_room();
  }

 private:
  static constexpr std::uint16_t result = wire::code(wire::frame_kind::result);
  static constexpr std::uint16_t run_of_results = wire::code(wire::frame_kind::result_run);
  static constexpr std::size_t any = 0;

  /// Whether the run that peek() gave has a result to give. Steps over it where it has none and will have none.
  bool look_at_run(const shm::frame& frame) {
    run_.look(frame);
    if (run_.n_ready() > 0) return true;
    step_over_finished_run();
    return false;
  }

  void step_over_finished_run() {
    if (!run_.is_over()) return;
    run_.close();
    ring_.pop();
  }

  wire::message take_one_of_run() {
    if (!pieces_.is_empty()) throw wire_error("results arrived in the middle of a message");
    const wire::message one{
        wire::frame_kind::result, 0, wire::seal(run_.ticket()), {run_.next(), run_.bytes_each()}, true};
    give_of_run(1);
    return one;
  }

  std::size_t copy_from_run(std::uint64_t ticket, std::size_t most, std::size_t bytes_each, std::byte* into) {
    if (run_.bytes_each() != bytes_each || run_.ticket() != static_cast<std::uint32_t>(ticket)) return 0;
    const std::size_t n = std::min(most, run_.n_ready());
    std::memcpy(into, run_.next(), n * bytes_each);
    give_of_run(n);
    return n;
  }

  void give_of_run(std::size_t n) {
    run_.give(n);
    step_over_finished_run();
  }

  /// Bytes: the number of bytes of each where that is one of the usual, so that the compiler knows it.
  template <std::size_t Bytes>
  std::size_t copy_results(std::uint64_t ticket, std::size_t most, std::size_t bytes_each, std::byte* into) {
    if constexpr (Bytes != any) bytes_each = Bytes;
    std::size_t n = 0;
    try {
      for (; n < most; ++n, into += bytes_each) {
        const auto frame = ring_.peek();
        if (!frame || frame->header.kind != result || frame->header.flags != 0 || frame->payload.size() != bytes_each)
          break;
        std::memcpy(into, frame->payload.data(), bytes_each);
        asm volatile("" : : "r"(into) : "memory"); // from here on nobody goes back to the source
        if (wire::seal::on(result, 0, ticket + n, {into, bytes_each}).field() != frame->header.ticket) break;
        ring_.pop();
      }
    } catch (const wire_error&) {
      if (n == 0) throw; // else once those before it are delivered
    }
    return n;
  }

  [[gnu::noinline]] std::optional<std::span<const std::byte>>
  take_piece(std::uint16_t kind, std::uint16_t flags, wire::seal sealed, std::span<const std::byte> payload) {
    return pieces_.add(kind, sealed.ticket(), wire::frame_flags(flags).more(), payload);
  }

  /// A short payload is looked at in a copy of its own, which is cheaper than to look twice at what may change.
  class small_payload {
   public:
    std::span<const std::byte> of(std::span<const std::byte> payload) {
      if (payload.empty() || payload.size() > sizeof bytes_) return payload;
      std::memcpy(bytes_, payload.data(), payload.size());
      asm volatile("" : : "r"(bytes_) : "memory"); // from here on nobody goes back to the source
      return {bytes_, payload.size()};
    }

   private:
    alignas(8) std::byte bytes_[128];
  };

  shm::ring_reader ring_;
  worker_bell* bell_;
  wire::assembler pieces_;
  run_reader run_; ///< of the oldest frame, where that is one
  std::uint64_t freed_ = 0;
};

} // namespace lk::parallel::process
