// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <atomic>
#include <mutex>
#include <utility>

#include <lk/parallel/base/asymmetric_fence.hpp>

// A lock that one thread takes all the time and others hardly ever. An atomic exchange waits until the processor has
// written all it has in hand, which costs more than a small task does; the favoured thread does without. The first
// other thread to come takes the favour away, for good. After Dice, Moir and Scherer, "Quickly Reacquirable Locks"
// (2003).

namespace lk::parallel::base {

/// Recursive. Lockable. Threads: any. Fork: only a thread that holds it can use it in the child.
class biased_lock {
 public:
  /// The calling thread is the favoured one, until another one comes. Where the kernel has no fence for it, and after
  /// the first call, it changes nothing.
  void favour_this_thread() {
    const std::lock_guard held(mutex_);
    if (favoured_.load(std::memory_order_relaxed) != nullptr) return;
    if (!asymmetric_fence::join() || !asymmetric_fence::heavy()) return;
    favoured_.store(this_thread(), std::memory_order_relaxed);
    is_shared_.store(false, std::memory_order_relaxed);
  }

  void lock() {
    if (!is_favoured()) return lock_as_other();
    if (depth_++ > 0 || enter()) return;
    mutex_.lock();
    holds_mutex_ = true;
  }

  void unlock() {
    if (!is_favoured()) return mutex_.unlock();
    if (--depth_ > 0) return;
    if (std::exchange(holds_mutex_, false))
      mutex_.unlock();
    else
      leave();
  }

 private:
  static const void* this_thread() {
    static constinit thread_local char mark = 0;
    return &mark;
  }
  bool is_favoured() const { return favoured_.load(std::memory_order_relaxed) == this_thread(); }

  bool enter() {
    is_inside_.store(1, std::memory_order_relaxed);
    asymmetric_fence::light(); // Dekker's argument, here and in leave(); pairs with the heavy one in lock_as_other()
    if (!is_shared_.load(std::memory_order_relaxed)) [[likely]]
      return true;
    leave();
    return false;
  }

  void leave() {
    // release: pairs with the acquire in lock_as_other(), which then sees what was done inside.
    is_inside_.store(0, std::memory_order_release);
    asymmetric_fence::light();
    if (!is_shared_.load(std::memory_order_relaxed)) [[likely]]
      return;
    // seq_cst: notify_all() may look first whether anybody waits; whoever is about to sees the 0, or is seen.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    is_inside_.notify_all();
  }

  void lock_as_other() {
    constexpr unsigned long enough_us = 1000; // for any processor to have written what it has in hand
    mutex_.lock();
    if (is_shared_.load(std::memory_order_relaxed)) return;
    is_shared_.store(true, std::memory_order_relaxed);
    if (!asymmetric_fence::heavy()) ::usleep(enough_us); // a sandbox has forbidden it meanwhile
    is_inside_.wait(1, std::memory_order_acquire);
  }

  std::recursive_mutex mutex_; ///< of all, once it is shared
  std::atomic<const void*> favoured_{nullptr};
  std::atomic<bool> is_shared_{true};
  std::atomic<int> is_inside_{0}; ///< the favoured thread, without the mutex
  int depth_ = 0;                 ///< of the favoured thread, as the next one
  bool holds_mutex_ = false;
};

} // namespace lk::parallel::base
