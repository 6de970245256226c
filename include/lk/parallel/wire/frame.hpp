// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include <lk/parallel/base/error.hpp>

// What travels on a ring: frames. A frame is a header and a payload, padded to eight bytes; a message longer than a
// frame may be travels as several frames of one kind and ticket, all but the last flagged `more`. Both sides are the
// same program image, so byte order and sizes are native. docs/design/wire-format.md draws it.

namespace lk::parallel::wire {

enum class frame_kind : std::uint16_t {
  skip = 1,    ///< filler up to the end of the ring; only the first eight bytes of the header exist
  begin_map,   ///< host to worker: the tasks that follow belong to this map
  task,        ///< host to worker: one encoded argument
  result,      ///< worker to host: one encoded result
  failure,     ///< worker to host: stage and description of what a task threw
  skipped,     ///< worker to host: the task was abandoned before it started
  ready,       ///< worker to host: worker_init is done
  init_failed, ///< worker to host: worker_init threw
  log_record,  ///< worker to host: one log record
};

struct frame_header {
  static constexpr std::uint16_t more = 1;

  std::uint32_t payload_bytes;
  std::uint16_t kind;
  std::uint16_t flags;
  std::uint64_t ticket; ///< number of the task in the life of its pool

  frame_kind which() const { return static_cast<frame_kind>(kind); }
  bool has_more() const { return (flags & more) != 0; }
};
static_assert(sizeof(frame_header) == 16);

inline constexpr std::size_t frame_alignment = 8;

/// Bytes a frame with this payload takes on a ring.
constexpr std::size_t frame_bytes(std::size_t payload_bytes) {
  return (sizeof(frame_header) + payload_bytes + frame_alignment - 1) / frame_alignment * frame_alignment;
}

struct frame {
  frame_header header;
  std::span<const std::byte> payload;
};

/// Puts the pieces of messages back together. A whole message that came in one frame is handed through uncopied.
class assembler {
 public:
  /// Lifetime: what is returned stays valid until the next call, or as long as the frame's own memory.
  /// Throws: wire_error for a piece that does not continue the message begun before it.
  std::optional<std::span<const std::byte>> add(const frame& piece) {
    if (finished_) {
      message_.clear();
      finished_ = false;
    }
    if (message_.empty() && !piece.header.has_more()) return piece.payload;
    if (!message_.empty() && (piece.header.kind != kind_ || piece.header.ticket != ticket_))
      throw wire_error("a piece of another message arrived in the middle of one");
    if (piece.payload.empty()) throw wire_error("an empty piece of a message arrived");
    kind_ = piece.header.kind;
    ticket_ = piece.header.ticket;
    message_.insert(message_.end(), piece.payload.begin(), piece.payload.end());
    if (piece.header.has_more()) return std::nullopt;
    finished_ = true;
    return std::span<const std::byte>(message_);
  }

  bool in_the_middle() const { return !message_.empty() && !finished_; }

  void reset() {
    message_ = {};
    finished_ = false;
  }

 private:
  std::vector<std::byte> message_;
  std::uint64_t ticket_ = 0;
  std::uint16_t kind_ = 0;
  bool finished_ = false;
};

} // namespace lk::parallel::wire
