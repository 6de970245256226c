// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

// Counts threads for certain: every caller stays until as many as expected are there, so one thread cannot pass for
// two.

namespace lk::parallel::testing {

class rendezvous {
 public:
  explicit rendezvous(std::size_t expected) : expected_(expected) {}

  /// Blocks: until `expected` threads have come, at most `patience`. True when they have.
  bool meet(std::chrono::seconds patience = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    came_.insert(std::this_thread::get_id());
    changed_.notify_all();
    return changed_.wait_for(lock, patience, [&] { return came_.size() >= expected_; });
  }

  std::size_t n_threads() {
    const std::lock_guard lock(mutex_);
    return came_.size();
  }

 private:
  const std::size_t expected_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::thread::id> came_;
};

} // namespace lk::parallel::testing
