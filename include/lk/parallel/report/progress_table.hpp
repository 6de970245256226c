// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

// Which Progress objects this process has, by numbers that workers can name them by.

namespace lk::parallel {
class Progress;
}

namespace lk::parallel::report {

/// Threads: any. Fork: for the process that made it.
class progress_table {
 public:
  static progress_table& instance() {
    static auto& only = *new progress_table; // leaked: a Progress may be a static object
    return only;
  }
  static std::uint64_t next_id() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  void add(std::uint64_t id, Progress& progress) {
    const std::lock_guard lock(mutex_);
    known_[id] = &progress;
  }
  void remove(std::uint64_t id) noexcept {
    const std::lock_guard lock(mutex_);
    known_.erase(id);
  }
  /// Calls fn(Progress&) unless it is gone; it stays alive meanwhile.
  template <class Fn> void with(std::uint64_t id, Fn&& fn) {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(id);
    if (found != known_.end()) fn(*found->second);
  }

 private:
  std::recursive_mutex mutex_; // guards the table; a display may make another Progress
  std::unordered_map<std::uint64_t, Progress*> known_;
};

} // namespace lk::parallel::report
