// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <utility>

// Folds what the chunks of a loop give, in chunk order, for reduce_chunks.

namespace lk::parallel::threads {

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
