// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

// An unbounded queue from one thread to one other, without a lock: blocks in a list, and in each a count of what is
// there. Nothing is moved that was put in, so that types whose moves may throw are as welcome as others.

namespace lk::parallel::base {

template <class T> class handover {
 public:
  handover() = default;
  /// Threads: after the last put() and take().
  ~handover() {
    while (first_ != nullptr) drop_block();
  }
  handover(const handover&) = delete;
  handover& operator=(const handover&) = delete;

  /// Makes an element at the end. Returns how many were ever put in. Threads: one.
  /// Throws: std::bad_alloc; what making the element throws. Nothing was put in then.
  template <class... Args> std::size_t put(Args&&... args) {
    if (last_->n == block_size) {
      auto* const fresh = new block;
      last_->next.store(fresh, std::memory_order_release);
      last_ = fresh;
    }
    std::construct_at(last_->at(last_->n), std::forward<Args>(args)...);
    ++last_->n;
    const std::size_t n = n_put_.load(std::memory_order_relaxed) + 1;
    // seq_cst: who puts and looks for a sleeper afterwards, and who goes to sleep and looks here, see each other.
    n_put_.store(n, std::memory_order_seq_cst);
    return n;
  }

  /// Of all time. Threads: any.
  std::size_t n_put() const { return n_put_.load(std::memory_order_seq_cst); }

  /// Hands over what is there, oldest first, as fn(T&&). An element whose turn threw stays. Threads: one.
  template <class Fn> void take(Fn&& fn) {
    const std::size_t n = n_put_.load(std::memory_order_acquire);
    for (; n_taken_ < n; ++n_taken_) {
      if (at_ == block_size) drop_block();
      fn(std::move(*first_->at(at_)));
      std::destroy_at(first_->at(at_++));
    }
  }

  /// Of all time. Threads: the one that takes.
  std::size_t n_taken() const { return n_taken_; }

 private:
  static constexpr std::size_t block_size = 64;

  struct block {
    T* at(std::size_t i) { return std::launder(reinterpret_cast<T*>(memory) + i); }

    alignas(T) std::byte memory[block_size * sizeof(T)];
    std::size_t n = 0; ///< of the thread that puts
    std::atomic<block*> next{nullptr};
  };

  /// Whatever is left in the first one goes with it.
  void drop_block() {
    block* const next = first_->next.load(std::memory_order_acquire);
    for (; at_ < first_->n; ++at_) std::destroy_at(first_->at(at_));
    delete std::exchange(first_, next);
    at_ = 0;
  }

  block* first_ = new block; ///< with the next, of the thread that takes
  std::size_t at_ = 0;
  std::size_t n_taken_ = 0;
  alignas(64) block* last_ = first_; ///< of the thread that puts
  std::atomic<std::size_t> n_put_{0};
};

} // namespace lk::parallel::base
