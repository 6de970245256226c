// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

// What lies on a ring: frames, each a header and a payload, padded to eight bytes. The ring itself understands the
// length and the skip kind; kind, flags and ticket are the business of those who write and read the frames.
// docs/design/wire-format.md draws it.

namespace lk::parallel::shm {

struct frame_header {
  /// Filler up to the end of the ring: only the first eight bytes of such a header exist.
  static constexpr std::uint16_t skip = 0;

  std::uint32_t payload_bytes;
  std::uint16_t kind; ///< not skip
  std::uint16_t flags;
  std::uint64_t ticket;
};
static_assert(sizeof(frame_header) == 16);
static_assert(std::endian::native == std::endian::little, "headers are read as two words");

/// From the two words that a header consists of: so the compiler keeps its parts in registers.
constexpr frame_header unpacked(std::uint64_t first, std::uint64_t second) {
  return {static_cast<std::uint32_t>(first), static_cast<std::uint16_t>(first >> 32),
          static_cast<std::uint16_t>(first >> 48), second};
}

inline constexpr std::size_t frame_alignment = 8;

/// Bytes a frame with this payload takes on a ring.
constexpr std::size_t frame_bytes(std::size_t payload_bytes) {
  return (sizeof(frame_header) + payload_bytes + frame_alignment - 1) / frame_alignment * frame_alignment;
}

struct frame {
  frame_header header;
  std::span<const std::byte> payload;
};

} // namespace lk::parallel::shm
