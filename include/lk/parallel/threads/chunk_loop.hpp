// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task.h>

#include <lk/parallel/threads/arena.hpp>
#include <lk/parallel/threads/task_scope.hpp>
#include <lk/parallel/threads/work_chunks.hpp>

// Runs a body once for each chunk on the training arena. The front's for_chunks and reduce_chunks are thin typed layers
// over it.

namespace lk::parallel::threads {

/// Calls body(idx) for each index below n, starting them in ascending order.
/// Threads: on up to arena.n_threads() threads; in order on this thread where that is one, and inside a task.
/// Blocks: until all have ended. Throws: the first exception; what has not started by then is not started.
inline void loop_over(arena& training, std::size_t n, const std::function<void(std::size_t)>& body) {
  const auto call = [&](std::size_t idx) {
    const task_scope inside;
    body(idx);
  };
  const std::size_t n_lanes = std::min(n, static_cast<std::size_t>(training.n_threads()));
  if (n_lanes <= 1 || inside_task() || training.elsewhere()) {
    for (std::size_t idx = 0; idx < n; ++idx) call(idx);
    return;
  }
  // Deals out the indices. oneTBB itself orders this thread before the lanes and the lanes before its return; the
  // orders below say the same where the thread sanitizer sees it, which does not look into the library.
  std::atomic<std::size_t> next;
  next.store(0, std::memory_order_release); // pairs with the acquire of every fetch_add
  training.run([&] {
    oneapi::tbb::parallel_for(std::size_t{0}, n_lanes, [&](std::size_t) {
      while (!oneapi::tbb::is_current_task_group_canceling()) {
        const std::size_t idx = next.fetch_add(1, std::memory_order_acq_rel);
        if (idx >= n) return;
        call(idx);
      }
    });
    (void)next.load(std::memory_order_acquire); // pairs with the release of each lane's last fetch_add
  });
}

} // namespace lk::parallel::threads
