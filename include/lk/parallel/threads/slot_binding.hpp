// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <lk/parallel/base/affinity.hpp>

// Binds the oneTBB threads that help in an arena to CPUs for as long as they are in it. tbb_slots tells it who comes
// and goes.

namespace lk::parallel::threads {

/// What is bound where. Empty `of_slot`: nothing.
struct slot_cpus {
  std::vector<base::cpu_list> of_slot = {}; ///< CPUs of the thread in each slot; the first is the caller's, which is
                                            ///< never bound: threads that libraries make in it inherit its mask
  base::cpu_list elsewhere = {};            ///< the mask that a thread gets back when it leaves
};

/// Threads: come() and leave() are called by the thread in question, drop() by any, once nobody comes any more.
class slot_binding {
 public:
  explicit slot_binding(slot_cpus cpus) : cpus_(std::move(cpus)) {}
  slot_binding(const slot_binding&) = delete;
  slot_binding& operator=(const slot_binding&) = delete;
  ~slot_binding() { drop(); }

  /// Binds the calling thread to the CPUs of its slot, as well as the kernel allows.
  void come(int slot) noexcept {
    if (slot < 0 || static_cast<std::size_t>(slot) >= cpus_.of_slot.size()) return;
    const std::lock_guard lock(mutex_);
    try {
      bound_.push_back(::gettid());
    } catch (const std::bad_alloc&) { // oneTBB takes no exception from its observers; then unbound
      return;
    }
    if (!base::set_affinity_of(0, cpus_.of_slot[static_cast<std::size_t>(slot)])) bound_.pop_back();
  }

  void leave() {
    if (cpus_.of_slot.empty()) return;
    const std::lock_guard lock(mutex_);
    const auto found = std::find(bound_.begin(), bound_.end(), ::gettid());
    if (found == bound_.end()) return;
    bound_.erase(found);
    base::set_affinity_of(0, cpus_.elsewhere);
  }

  /// Frees the threads that are still here: oneTBB says no goodbye for threads that linger in an arena being dropped,
  /// and they go on to serve others.
  void drop() noexcept {
    const std::lock_guard lock(mutex_);
    for (const pid_t thread : bound_) base::set_affinity_of(thread, cpus_.elsewhere);
    bound_.clear();
  }

 private:
  const slot_cpus cpus_;
  std::mutex mutex_;
  std::vector<pid_t> bound_; // guarded by mutex_
};

} // namespace lk::parallel::threads
