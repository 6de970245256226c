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
#include <utility>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/shm/frame.hpp>

// A ring of frames for one producer and one consumer, on a plain span: no system calls, no waiting. The two ends live
// in different processes; each end writes one position and reads the other. A frame lies in one piece, so that codecs
// can build and read messages in place; where it would cross the end of the memory, a skip frame fills the rest. A
// writer of small frames whose reader keeps up does not go that far: it starts over after a quarter of the memory, so
// that little of it is ever touched, and that stays in the caches.
// After Lamport, "Specifying Concurrent Program Modules" (1983). The reading end trusts nothing it reads.

namespace lk::parallel::shm {

/// A count of bytes since the ring was made, alone on its cache line. Written by one end, read by the other.
struct alignas(64) ring_position {
  std::atomic<std::uint64_t> bytes{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// How far one end has come: bytes since the ring was made, and where in the memory that is. Steps never cross the end.
class ring_place {
 public:
  std::uint64_t position() const { return position_; }
  std::size_t offset() const { return offset_; }
  void advance(std::size_t bytes, std::size_t ring_bytes) {
    position_ += bytes;
    offset_ += bytes;
    if (offset_ == ring_bytes) offset_ = 0; // no division: this is done for every frame
  }

 private:
  std::uint64_t position_ = 0;
  std::size_t offset_ = 0;
};

/// The largest payload that is certain to find room in an empty ring of that size, wherever its positions stand.
constexpr std::size_t largest_payload(std::size_t ring_bytes) { return ring_bytes / 2 - sizeof(frame_header); }

/// The producing end. Threads: one.
class ring_writer {
 public:
  ring_writer(std::span<std::byte> memory, ring_position& produced, const ring_position& consumed)
      : memory_(memory)
      , produced_(&produced)
      , consumed_(&consumed)
      , look_at_(memory.size() / 4) {
    assert(memory.size() % frame_alignment == 0);
  }

  /// Room for a payload of at least min_bytes in one piece: as much as there is, or nothing. Ends with commit() or is
  /// forgotten.
  [[gnu::always_inline]] std::optional<std::span<std::byte>> reserve(std::size_t min_bytes) {
    const std::size_t need = frame_bytes(min_bytes);
    if (place_.offset() >= look_at_) [[unlikely]] {
      look_at_ = place_.offset() + memory_.size() / 256;
      learn_consumed();
    }
    if (auto room = find_room(need)) return room;
    learn_consumed();
    return find_room(need);
  }

  /// Makes a frame of the first payload_bytes of what reserve() gave. The other end sees it after publish().
  [[gnu::always_inline]] void commit(std::uint16_t kind, std::uint64_t ticket, std::size_t payload_bytes,
                                     std::uint16_t flags = 0) {
    assert(kind != frame_header::skip);
    if (skip_ != 0) [[unlikely]]
      write_skip();
    const frame_header header{static_cast<std::uint32_t>(payload_bytes), kind, flags, ticket};
    std::memcpy(memory_.data() + place_.offset(), &header, sizeof header);
    place_.advance(frame_bytes(payload_bytes), memory_.size());
  }

  void publish() {
    // release: pairs with the acquire in ring_reader::peek; without it the length could be seen before the bytes.
    produced_->bytes.store(place_.position(), std::memory_order_release);
  }

  std::uint64_t position() const { return place_.position(); }
  std::size_t capacity() const { return memory_.size(); }

 private:
  /// Writes nothing: whoever forgets the room has used up none, and where there is none, the last room is as it was.
  [[gnu::always_inline]] std::optional<std::span<std::byte>> find_room(std::size_t need) {
    const std::size_t used = static_cast<std::size_t>(place_.position() - seen_consumed_);
    if (used > memory_.size()) throw wire_error("the reader of a ring claims to have read more than was written");
    const std::size_t free = memory_.size() - used, at = place_.offset(), to_end = memory_.size() - at;
    const bool reader_keeps_up = at >= memory_.size() / 4 && used <= at / 4;
    const bool is_small = need <= memory_.size() / 128; // what is behind the reader holds dozens of such frames
    const bool starts_over = (reader_keeps_up && is_small) || to_end < need;
    const std::size_t skip = starts_over ? to_end : 0;
    if (free < skip + need) return std::nullopt;
    skip_ = skip;
    return starts_over ? room_at(0, free - skip) : room_at(at, std::min(free, to_end));
  }

  std::span<std::byte> room_at(std::size_t offset, std::size_t bytes) const {
    return memory_.subspan(offset + sizeof(frame_header), bytes - sizeof(frame_header));
  }

  void learn_consumed() {
    // acquire: pairs with the release in ring_reader::publish; without it we could overwrite bytes still being read.
    seen_consumed_ = consumed_->bytes.load(std::memory_order_acquire);
  }

  void write_skip() {
    const frame_header header{static_cast<std::uint32_t>(skip_), frame_header::skip, 0, 0};
    std::memcpy(memory_.data() + place_.offset(), &header, frame_alignment);
    place_.advance(std::exchange(skip_, 0), memory_.size());
    look_at_ = memory_.size() / 4;
  }

  std::span<std::byte> memory_;
  ring_position* produced_;
  const ring_position* consumed_;
  ring_place place_;
  std::uint64_t seen_consumed_ = 0;
  std::size_t look_at_;  ///< offset from which on the reader is looked at before there is no room
  std::size_t skip_ = 0; ///< bytes to be left out before the next frame
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
  [[gnu::always_inline]] std::optional<frame> peek() {
    while (true) {
      if (place_.position() == seen_produced_ && !look_for_more()) return std::nullopt;
      const auto available = static_cast<std::size_t>(seen_produced_ - place_.position());
      const std::size_t at = place_.offset();
      const std::size_t to_end = memory_.size() - at;
      const frame_header header = read_header(memory_.data() + at, std::min(available, to_end));
      if (header.kind == frame_header::skip) {
        if (header.payload_bytes != to_end || to_end > available) throw wire_error("a skip frame has a wrong length");
        place_.advance(to_end, memory_.size());
        continue;
      }
      const std::size_t whole = frame_bytes(header.payload_bytes);
      if (whole > available || whole > to_end) throw wire_error("a frame is longer than what was written");
      frame_bytes_ = whole;
      return frame{header, memory_.subspan(at + sizeof header, header.payload_bytes)};
    }
  }

  /// Steps over the frame that peek() gave.
  void pop() { place_.advance(frame_bytes_, memory_.size()); }

  /// Tells the other end that everything popped may be overwritten.
  void publish() {
    // release: pairs with the acquire in ring_writer::reserve; our reads of the payload happen before it.
    consumed_->bytes.store(place_.position(), std::memory_order_release);
  }

  /// Whether peek() would find something. Threads: the consuming one.
  bool has_frames() const {
    return place_.position() != seen_produced_ || produced_->bytes.load(std::memory_order_acquire) != place_.position();
  }

  std::uint64_t position() const { return place_.position(); }

 private:
  bool look_for_more() {
    // acquire: pairs with the release in ring_writer::publish.
    const std::uint64_t produced = produced_->bytes.load(std::memory_order_acquire);
    if (produced - place_.position() > memory_.size() || produced % frame_alignment != 0)
      throw wire_error("the writer of a ring claims a position that cannot be");
    seen_produced_ = produced;
    return produced != place_.position();
  }

  [[gnu::always_inline]] static frame_header read_header(const std::byte* at, std::size_t readable) {
    std::uint64_t words[2] = {0, 0};
    std::memcpy(&words[0], at, sizeof words[0]);
    if (readable >= sizeof(frame_header)) std::memcpy(&words[1], at + sizeof words[0], sizeof words[1]);
    asm volatile("" : "+r"(words[0]), "+r"(words[1])); // read once: the other end may be changing it under us
    const frame_header header = unpacked(words[0], words[1]);
    if (readable < sizeof header && header.kind != frame_header::skip) throw wire_error("a frame header is cut short");
    return header;
  }

  std::span<const std::byte> memory_;
  const ring_position* produced_;
  ring_position* consumed_;
  ring_place place_;
  std::uint64_t seen_produced_ = 0;
  std::size_t frame_bytes_ = 0; ///< of the frame that peek() gave last
};

} // namespace lk::parallel::shm
