// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task.h>

#include <lk/parallel/threads/arena.hpp>
#include <lk/parallel/threads/task_scope.hpp>
#include <lk/parallel/threads/work_chunks.hpp>

// Runs a body once for each chunk on the training arena, and folds results in chunk order. The front's for_chunks and
// reduce_chunks are thin typed layers over it.

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

/// Folds values that arrive in any order in the order of their indices, each as soon as its predecessors are there.
/// Since chunks start in ascending order, few values wait.
/// Threads: put() may be called from many; one of them at a time folds.
template <class T, class Value, class Fold> class ordered_fold {
 public:
  ordered_fold(T init, Fold& fold) : total_(std::move(init)), fold_(fold) {}

  /// Throws: what the fold throws; the object is then good for nothing more.
  void put(std::size_t idx, Value value) {
    std::unique_lock lock(mutex_);
    waiting_.emplace(idx, std::move(value));
    if (folding_) return;
    folding_ = true;
    while (!waiting_.empty() && waiting_.begin()->first == next_) {
      auto node = waiting_.extract(waiting_.begin());
      ++next_;
      lock.unlock();
      total_ = fold_(std::move(total_), std::move(node.mapped()));
      lock.lock();
    }
    folding_ = false;
  }

  T take() { return std::move(total_); }

 private:
  std::mutex mutex_;
  std::map<std::size_t, Value> waiting_; // guarded by mutex_, like the two below
  std::size_t next_ = 0;
  bool folding_ = false;
  T total_; // only the thread that set folding_ touches it
  Fold& fold_;
};

} // namespace lk::parallel::threads
