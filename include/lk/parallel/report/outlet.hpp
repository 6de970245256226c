// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

// Where a worker's log records, and what it tells of progress, leave its process. The result ring is one outlet;
// another transport (a socket, MPI) is another. An outlet carries bytes and does not know what they mean, except that
// each call is one whole record.

namespace lk::parallel::report {

enum class record_kind {
  log,      ///< log_record.hpp
  progress, ///< progress_relay.hpp
};

/// What becomes of a record where the other side does not take any for a while.
enum class urgency {
  may_be_dropped, ///< after a bounded wait; such records are counted, and the count is told
  must_arrive,    ///< it waits
};

class outlet {
 public:
  outlet() = default;
  outlet(const outlet&) = delete;
  outlet& operator=(const outlet&) = delete;
  virtual ~outlet() = default;

  /// Takes one record. The bytes are the caller's again when it returns.
  /// Blocks: as the transport does; it must be bounded by the peer's life.
  /// Threads: any number at a time; a lock of its own must not be held while user code runs.
  /// Throws: anything; the record is then lost, and the worker's code does not notice. It must not log.
  virtual void send(record_kind kind, std::span<const std::byte> record, urgency how) = 0;
};

} // namespace lk::parallel::report
