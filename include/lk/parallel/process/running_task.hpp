// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/wire/cursor.hpp>

// What a running task is given in a worker. Both sides are the same program image at the same addresses, so a pointer
// to code or to the host's objects is as good in a worker.

namespace lk::parallel::process {

/// Where the result of the task being run is built.
class result_place {
 public:
  /// A writer for the result. Blocks: while the host has no room for it.
  virtual wire::writer& begin() = 0;

 protected:
  ~result_place() = default;
};

/// A result that is its bytes, and no more than these, is plain.
inline constexpr std::size_t most_plain_bytes = 64;

/// One running task as the typed code above sees it.
struct running_task {
  std::uint64_t index; ///< its number in its map
  std::uint64_t seed;  ///< root of the map's random streams
  int attempt;         ///< from 1
  int worker;          ///< from 0
  const std::atomic<std::uint64_t>* first_live_ticket;
  std::uint64_t ticket;
  wire::reader argument;
  result_place* sender;
  std::byte* plain_result;                        ///< where the bytes of a plain result go; null: it is encoded
  task_stage stage = task_stage::decode_argument; ///< kept up to date by the entry, for the error message

  bool abandoned() const { return ticket < first_live_ticket->load(std::memory_order_relaxed); }
};

/// Decodes the argument, calls the function, and copies the result to task.plain_result or encodes it into
/// task.sender->begin(). Throws: what those throw.
using task_entry = void (*)(void* function_state, running_task& task);

} // namespace lk::parallel::process
