// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

// Results that have arrived and wait for their turn, by index. There is one pointer for each index from the first that
// is missing to the last that is here, which the window of the map bounds; the results themselves lie in as many places
// as there have ever been results at a time, and the place that was left last is taken first, while it is in the cache.

namespace lk::parallel::backends {

template <class T> class reorder_window {
 public:
  /// first: index of the first element that will come.
  explicit reorder_window(std::size_t first = 0) : first_(first) {}
  reorder_window(const reorder_window&) = delete;
  reorder_window& operator=(const reorder_window&) = delete;
  ~reorder_window() {
    for (place* const held : waiting_)
      if (held != nullptr) std::destroy_at(&held->element);
  }

  /// Index of the next element.
  std::size_t first() const { return first_; }
  bool has_next() const { return !waiting_.empty() && waiting_[first_ & mask_] != nullptr; }

  /// Makes the element of that index. Each index once, none before first().
  template <class... Args> [[gnu::always_inline]] void put(std::size_t index, Args&&... args) {
    assert(index >= first_);
    if (index - first_ >= waiting_.size()) [[unlikely]]
      grow(index - first_ + 1);
    if (free_ == nullptr) [[unlikely]]
      add_places();
    place* const taken = free_;
    place* const next_free = taken->next_free;
    try {
      std::construct_at(&taken->element, std::forward<Args>(args)...);
    } catch (...) {
      taken->next_free = next_free;
      throw;
    }
    free_ = next_free;
    waiting_[index & mask_] = taken;
  }

  /// The next element, where it lies. Requires has_next(). Lifetime: until drop_next().
  T& next() { return waiting_[first_ & mask_]->element; }
  void drop_next() {
    place* const left = std::exchange(waiting_[first_++ & mask_], nullptr);
    std::destroy_at(&left->element);
    left->next_free = free_;
    free_ = left;
  }

 private:
  union place {
    place() : next_free(nullptr) {}
    ~place() {}
    place* next_free;
    T element;
  };

  [[gnu::cold, gnu::noinline]] void grow(std::size_t needed) {
    std::size_t size = waiting_.empty() ? 16 : waiting_.size();
    while (size < needed) size *= 2;
    std::vector<place*> larger(size);
    for (std::size_t i = 0; i < waiting_.size(); ++i)
      larger[(first_ + i) & (size - 1)] = waiting_[(first_ + i) & mask_];
    waiting_.swap(larger);
    mask_ = size - 1;
  }

  [[gnu::cold, gnu::noinline]] void add_places() {
    constexpr std::size_t block_bytes = 4096;
    constexpr std::size_t n = std::max<std::size_t>(8, block_bytes / sizeof(place));
    place* const added = blocks_.emplace_back(std::make_unique<place[]>(n)).get();
    for (std::size_t i = 0; i + 1 < n; ++i) added[i].next_free = added + i + 1;
    free_ = added;
  }

  std::vector<place*> waiting_; ///< by index; size: a power of two, or none yet
  std::size_t mask_ = 0;        ///< size - 1
  std::size_t first_;
  place* free_ = nullptr; ///< the places left, last one first
  std::vector<std::unique_ptr<place[]>> blocks_;
};

} // namespace lk::parallel::backends
