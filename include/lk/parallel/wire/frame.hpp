// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/wire/seal.hpp>

// What the frames between host and workers mean, whatever carries them. A message longer than a frame may be travels as
// several frames of one kind and ticket, all but the last flagged `more`. docs/design/wire-format.md lists them.

namespace lk::parallel::wire {

/// 0 belongs to the carrier.
enum class frame_kind : std::uint16_t {
  begin_map = 1, ///< host to worker: the tasks that follow belong to this map
  task,          ///< host to worker: one encoded argument
  result,        ///< worker to host: one encoded result
  failure,       ///< worker to host: stage and description of what a task threw
  skipped,       ///< worker to host: the task was abandoned before it started
  ready,         ///< worker to host: worker_init is done
  init_failed,   ///< worker to host: worker_init threw
  log_record,    ///< worker to host: one log record
  progress,      ///< worker to host: one change of a Progress
  log_dropped,   ///< worker to host: how many log records were dropped before this frame, 64 bits
  task_run,      ///< host to worker: encoded arguments of one size, of tasks with consecutive tickets
  result_run, ///< worker to host: results of one size, of tasks with consecutive tickets; grows (wire/result_run.hpp)
};

/// As the carrier knows it.
constexpr std::uint16_t code(frame_kind kind) { return static_cast<std::uint16_t>(kind); }

/// A whole message of a worker. Its bytes may lie where the worker can still write.
struct message {
  frame_kind kind;
  std::uint16_t flags;
  seal sealed;
  std::span<const std::byte> bytes;
  bool is_copy; ///< put together from pieces, in memory of its own

  /// Lower half.
  std::uint32_t ticket() const { return sealed.ticket(); }
  /// To be called when all has been made of the bytes, and before it is believed.
  /// Throws: wire_error where they have changed meanwhile.
  void require_intact() const {
    if (!is_copy && !sealed.is_whole(code(kind), flags, bytes)) throw wire_error("a message changed while it was read");
  }
};

/// The flags of a frame: whether more pieces of the message follow, and (tasks) the number of the attempt, from 1.
class frame_flags {
 public:
  constexpr explicit frame_flags(std::uint16_t bits) : bits_(bits) {}
  constexpr frame_flags(int attempt, bool more) : bits_(static_cast<std::uint16_t>((attempt << 1) | (more ? 1 : 0))) {}

  constexpr std::uint16_t bits() const { return bits_; }
  constexpr bool more() const { return (bits_ & 1) != 0; }
  constexpr int attempt() const { return bits_ >> 1; }
  static constexpr int most_attempts = 32767;

 private:
  std::uint16_t bits_;
};

/// Puts the pieces of messages back together. A whole message that came in one frame is handed through uncopied.
class assembler {
 public:
  /// Lifetime: what is returned stays valid until the next call, or as long as the piece's own memory.
  /// Throws: wire_error for a piece that does not continue the message begun before it.
  [[gnu::always_inline]] std::optional<std::span<const std::byte>> add(std::uint16_t kind, std::uint64_t ticket,
                                                                       bool more, std::span<const std::byte> piece) {
    if (finished_) release();
    if (message_.empty() && !more) return piece;
    if (!message_.empty() && (kind != kind_ || ticket != ticket_))
      throw wire_error("a piece of another message arrived in the middle of one");
    if (piece.empty()) throw wire_error("an empty piece of a message arrived");
    kind_ = kind;
    ticket_ = ticket;
    message_.insert(message_.end(), piece.begin(), piece.end());
    if (more) return std::nullopt;
    finished_ = true;
    return std::span<const std::byte>(message_);
  }

  /// Whether no message has been begun.
  bool is_empty() const { return message_.empty(); }

  void reset() {
    message_ = std::vector<std::byte>();
    finished_ = false;
  }

  /// The whole message is of no use any more. Memory for messages of usual sizes is kept, that of a huge one given
  /// back.
  void release() {
    if (!finished_) return;
    constexpr std::size_t usual_bytes = std::size_t{4} << 20;
    if (message_.capacity() > usual_bytes) message_ = std::vector<std::byte>(); // = {} would keep the memory
    message_.clear();
    finished_ = false;
  }

 private:
  std::vector<std::byte> message_;
  std::uint64_t ticket_ = 0;
  std::uint16_t kind_ = 0;
  bool finished_ = false;
};

} // namespace lk::parallel::wire
