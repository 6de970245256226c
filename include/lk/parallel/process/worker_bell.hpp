// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include <lk/parallel/shm/channel.hpp>

// How the host wakes one worker: only where it sleeps, and once for each of its sleeps.

namespace lk::parallel::process {

/// Threads: one at a time.
class worker_bell {
 public:
  explicit worker_bell(const shm::channel& channel) : channel_(channel) {}

  /// For tasks: whoever of the worker sleeps.
  void ring_for_tasks() { ring_for(channel_.status->sleeps); }
  /// For room on the result ring: whoever waits for it.
  void ring_for_room() { ring_for(channel_.status->sleeps_for_room); }

 private:
  /// Once for each sleep: it may take a while until the worker can run.
  void ring_for(const std::atomic<std::uint32_t>& sleepers) {
    // seq_cst: the middle of Dekker's argument; pairs with the fence in status_line::sleep_begins.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (sleepers.load(std::memory_order_acquire) == 0) return;
    const auto begun = channel_.status->sleeps_begun.load(std::memory_order_relaxed);
    if (std::exchange(rung_for_, begun) != begun) channel_.host->bell.ring();
  }

  shm::channel channel_;
  std::uint32_t rung_for_ = 0; ///< number of the worker's sleep that the bell was rung for last
};

} // namespace lk::parallel::process
