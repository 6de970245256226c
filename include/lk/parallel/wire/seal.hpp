// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

// A frame that a worker writes lies in memory that the worker can write until the host has read it. So it is sealed:
// the field that carries the ticket has the ticket's lower half and a checksum of the frame. A stray write by the
// worker's own code is then noticed, and is not taken for a result. This is no cryptography: whoever wants to can seal
// again.

namespace lk::parallel::wire {

/// A 32-bit checksum of a payload; `start` goes into it. Payloads of up to 4 KiB count whole. Of a larger one the first
/// and last 2 KiB and 64 bytes of every 1 KiB between count: a stray write of a kibibyte or more cannot be missed, and
/// reading all of a large result twice would cost more than sending it.
class checksum {
 public:
  [[gnu::always_inline]] static std::uint32_t of(std::span<const std::byte> payload, std::uint64_t start) {
    start ^= payload.size() * spread;
    if (payload.size() <= 8) return of_word(word_at(payload.data(), payload.size()), start);
    return of_more(payload, start);
  }

 private:
  friend class running_checksum;

  static std::uint32_t of_more(std::span<const std::byte> payload, std::uint64_t start) {
    checksum sum(start);
    if (payload.size() <= whole) {
      sum.add(payload);
    } else {
      sum.add(payload.first(whole / 2));
      for (std::size_t at = whole / 2; at + stride <= payload.size() - whole / 2; at += stride)
        sum.add(payload.subspan(at, sample));
      sum.add(payload.last(whole / 2));
    }
    return sum.finished();
  }

  static constexpr std::size_t whole = 4096, stride = 1024, sample = 64;
  static constexpr std::uint64_t spread = 0x9e3779b97f4a7c15U; // 2^64 / golden ratio, odd: multiplying loses nothing

  explicit checksum(std::uint64_t start) : lanes_{start, ~start, start + spread, start ^ spread} {}

  static std::uint64_t mixed(std::uint64_t lane, std::uint64_t word) { return std::rotl(lane ^ word, 27) * spread; }

  static std::uint64_t word_at(const std::byte* from) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, sizeof word);
    return word;
  }
  static std::uint64_t word_at(const std::byte* from, std::size_t bytes) {
    if (bytes == 8) return word_at(from);
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < bytes; ++i) word |= std::to_integer<std::uint64_t>(from[i]) << (8 * i);
    return word;
  }

  /// Four lanes, so that the multiplications of one block do not wait for each other.
  void add(std::span<const std::byte> part) {
    const std::byte* at = part.data();
    std::size_t left = part.size();
    for (; left >= 32; at += 32, left -= 32)
      for (std::size_t lane = 0; lane < 4; ++lane) lanes_[lane] = mixed(lanes_[lane], word_at(at + 8 * lane));
    for (; left >= 8; at += 8, left -= 8) lanes_[0] = mixed(lanes_[0], word_at(at));
    if (left > 0) lanes_[1] = mixed(lanes_[1], word_at(at, left));
  }

  std::uint32_t finished() const {
    std::uint64_t all = lanes_[0];
    for (std::size_t lane = 1; lane < 4; ++lane) all = mixed(all, lanes_[lane]);
    return folded(all);
  }

  /// The short way for numbers and the like.
  static std::uint32_t of_word(std::uint64_t word, std::uint64_t start) { return folded(mixed(start, word)); }

  static std::uint32_t folded(std::uint64_t all) {
    all ^= all >> 29;
    return static_cast<std::uint32_t>((all * spread) >> 32);
  }

  std::uint64_t lanes_[4];
};

/// A checksum of values that come one after the other, all of the same size.
class running_checksum {
 public:
  running_checksum() = default;
  explicit running_checksum(std::uint64_t start) : lane_(start) {}

  [[gnu::always_inline]] void add(const std::byte* value, std::size_t bytes) {
    for (; bytes > 8; value += 8, bytes -= 8) lane_ = checksum::mixed(lane_, checksum::word_at(value));
    lane_ = checksum::mixed(lane_, checksum::word_at(value, bytes));
  }
  /// Of all so far.
  std::uint32_t value() const { return checksum::folded(lane_); }

 private:
  std::uint64_t lane_ = 0;
};

/// What stands in the ticket field of a sealed frame.
class seal {
 public:
  constexpr explicit seal(std::uint64_t field) : field_(field) {}
  static seal on(std::uint16_t kind, std::uint16_t flags, std::uint64_t ticket, std::span<const std::byte> payload) {
    const auto low = static_cast<std::uint32_t>(ticket);
    return seal(std::uint64_t{checksum::of(payload, start(kind, flags, low))} << 32 | low);
  }

  constexpr std::uint64_t field() const { return field_; }
  /// The lower half: enough to tell the tickets of one worker's unanswered tasks apart.
  constexpr std::uint32_t ticket() const { return static_cast<std::uint32_t>(field_); }

  bool is_whole(std::uint16_t kind, std::uint16_t flags, std::span<const std::byte> payload) const {
    return checksum::of(payload, start(kind, flags, ticket())) == static_cast<std::uint32_t>(field_ >> 32);
  }

 private:
  static constexpr std::uint64_t start(std::uint16_t kind, std::uint16_t flags, std::uint32_t ticket) {
    return std::uint64_t{ticket} << 32 | std::uint64_t{kind} << 16 | flags;
  }

  std::uint64_t field_;
};

} // namespace lk::parallel::wire
