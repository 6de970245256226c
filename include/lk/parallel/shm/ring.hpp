// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/shm/frame.hpp>

// A ring of frames for one producer and one consumer, on a plain span: no system calls, no waiting. The two ends live
// in different processes; each end writes one position and reads the other. A frame lies in one piece, so that codecs
// can build and read messages in place; where it would cross the end of the memory, a skip frame fills the rest.
// After Lamport, "Specifying Concurrent Program Modules" (1983). The reading end trusts nothing it reads.

namespace lk::parallel::shm {

/// A count of bytes since the ring was made, alone on its cache line. Written by one end, read by the other.
struct alignas(64) ring_position {
  std::atomic<std::uint64_t> bytes{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// The largest payload that is certain to find room in an empty ring of that size, wherever its positions stand.
constexpr std::size_t largest_payload(std::size_t ring_bytes) { return ring_bytes / 2 - sizeof(frame_header); }

/// The producing end. Threads: one.
class ring_writer {
 public:
  ring_writer(std::span<std::byte> memory, ring_position& produced, const ring_position& consumed)
      : memory_(memory)
      , produced_(&produced)
      , consumed_(&consumed) {
    assert(memory.size() % frame_alignment == 0);
  }

  /// Room for a payload of at least min_bytes in one piece: as much as there is, or nothing. Ends with commit() or is
  /// forgotten.
  std::optional<std::span<std::byte>> reserve(std::size_t min_bytes) {
    const std::size_t need = frame_bytes(min_bytes);
    if (auto room = room_at_position(need)) return room;
    // acquire: pairs with the release in ring_reader::publish; without it we could overwrite bytes still being read.
    seen_consumed_ = consumed_->bytes.load(std::memory_order_acquire);
    return room_at_position(need);
  }

  /// Makes a frame of the first payload_bytes of what reserve() gave. The other end sees it after publish().
  void commit(std::uint16_t kind, std::uint64_t ticket, std::size_t payload_bytes, std::uint16_t flags = 0) {
    assert(kind != frame_header::skip);
    const frame_header header{static_cast<std::uint32_t>(payload_bytes), kind, flags, ticket};
    std::memcpy(memory_.data() + offset(), &header, sizeof header);
    position_ += frame_bytes(payload_bytes);
  }

  void publish() {
    // release: pairs with the acquire in ring_reader::peek; without it the length could be seen before the bytes.
    produced_->bytes.store(position_, std::memory_order_release);
  }

  std::uint64_t position() const { return position_; }
  std::size_t capacity() const { return memory_.size(); }

 private:
  std::size_t offset() const { return static_cast<std::size_t>(position_ % memory_.size()); }

  std::optional<std::span<std::byte>> room_at_position(std::size_t need) {
    const std::size_t used = static_cast<std::size_t>(position_ - seen_consumed_);
    if (used > memory_.size()) throw wire_error("the reader of a ring claims to have read more than was written");
    std::size_t free = memory_.size() - used;
    const std::size_t to_end = memory_.size() - offset();
    if (to_end < need) {
      if (free < to_end + need) return std::nullopt;
      write_skip(to_end);
      free -= to_end;
    } else if (free < need) {
      return std::nullopt;
    }
    const std::size_t piece = std::min(free, memory_.size() - offset());
    return memory_.subspan(offset() + sizeof(frame_header), piece - sizeof(frame_header));
  }

  void write_skip(std::size_t to_end) {
    const frame_header header{static_cast<std::uint32_t>(to_end), frame_header::skip, 0, 0};
    std::memcpy(memory_.data() + offset(), &header, frame_alignment);
    position_ += to_end;
  }

  std::span<std::byte> memory_;
  ring_position* produced_;
  const ring_position* consumed_;
  std::uint64_t position_ = 0;
  std::uint64_t seen_consumed_ = 0;
};

/// The consuming end. Threads: one.
class ring_reader {
 public:
  ring_reader(std::span<const std::byte> memory, const ring_position& produced, ring_position& consumed)
      : memory_(memory)
      , produced_(&produced)
      , consumed_(&consumed) {}

  /// The oldest frame not yet popped. Lifetime: its payload until publish() after pop().
  /// Throws: wire_error where positions or lengths cannot be true.
  std::optional<frame> peek() {
    while (true) {
      if (position_ == seen_produced_ && !look_for_more()) return std::nullopt;
      const auto available = static_cast<std::size_t>(seen_produced_ - position_);
      const std::size_t at = static_cast<std::size_t>(position_ % memory_.size());
      const std::size_t to_end = memory_.size() - at;
      const frame_header header = read_header(at, std::min(available, to_end));
      if (header.kind == frame_header::skip) {
        if (header.payload_bytes != to_end || to_end > available) throw wire_error("a skip frame has a wrong length");
        position_ += to_end;
        continue;
      }
      const std::size_t whole = frame_bytes(header.payload_bytes);
      if (whole > available || whole > to_end) throw wire_error("a frame is longer than what was written");
      frame_end_ = position_ + whole;
      return frame{header, memory_.subspan(at + sizeof header, header.payload_bytes)};
    }
  }

  /// Steps over the frame that peek() gave.
  void pop() { position_ = frame_end_; }

  /// Tells the other end that everything popped may be overwritten.
  void publish() {
    // release: pairs with the acquire in ring_writer::reserve; our reads of the payload happen before it.
    consumed_->bytes.store(position_, std::memory_order_release);
  }

  /// Whether peek() would find something. Threads: the consuming one.
  bool has_frames() const {
    return position_ != seen_produced_ || produced_->bytes.load(std::memory_order_acquire) != position_;
  }

  std::uint64_t position() const { return position_; }

 private:
  bool look_for_more() {
    // acquire: pairs with the release in ring_writer::publish.
    const std::uint64_t produced = produced_->bytes.load(std::memory_order_acquire);
    if (produced - position_ > memory_.size() || produced % frame_alignment != 0)
      throw wire_error("the writer of a ring claims a position that cannot be");
    seen_produced_ = produced;
    return produced != position_;
  }

  frame_header read_header(std::size_t at, std::size_t readable) const {
    frame_header header{};
    std::memcpy(&header, memory_.data() + at, std::min(readable, sizeof header));
    asm volatile("" : : "r"(&header) : "memory"); // read once: the other end may be changing it under us
    if (readable < sizeof header && header.kind != frame_header::skip) throw wire_error("a frame header is cut short");
    return header;
  }

  std::span<const std::byte> memory_;
  const ring_position* produced_;
  ring_position* consumed_;
  std::uint64_t position_ = 0;
  std::uint64_t seen_produced_ = 0;
  std::uint64_t frame_end_ = 0;
};

} // namespace lk::parallel::shm
