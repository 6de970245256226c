// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>

#include <lk/parallel/report/progress.hpp>

// A map in progress as its invoker sees it, and what the invoker asks of it.

namespace lk::parallel::backends {

/// A map in progress, as its invoker sees it.
class open_map {
 public:
  virtual ~open_map() = default;
  /// Abandons what is unfinished. May be called again.
  virtual void end() noexcept = 0;
  /// As end(), since the invoker is going away: what follows is a usage_error.
  virtual void close() noexcept = 0;
  /// Whether somebody is inside next().
  virtual bool is_busy() const noexcept = 0;
};

/// What an invoker and its maps share. Written by whichever map is in progress.
struct map_slot {
  open_map* open = nullptr;         ///< the map in progress
  std::uint64_t tasks_finished = 0; ///< of all maps, failed ones included
};

struct stream_options {
  bool in_order = true;
  std::size_t window = 0;       ///< most tasks between the consumer and the source; at least 1
  std::size_t window_bytes = 0; ///< most encoded bytes that wait for the consumer
  std::size_t n_workers = 1;
  std::size_t first_task = 0; ///< number of the first
  std::shared_ptr<Progress> progress;
  std::stop_token stop;
  std::shared_ptr<map_slot> slot;                   ///< of the invoker
  std::function<std::shared_ptr<void>()> hold = {}; ///< called at the start; what it gives is let go at the end
};

} // namespace lk::parallel::backends
