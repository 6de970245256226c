// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cassert>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

// Results that have arrived and wait for their turn, by index. Grows with the distance between the first index missing
// and the last one here, which the window of the map bounds.

namespace lk::parallel::backends {

template <class T> class reorder_window {
 public:
  /// first: index of the first element that will come.
  explicit reorder_window(std::size_t first = 0) : first_(first) {}

  /// Index of the next element.
  std::size_t first() const { return first_; }
  bool has_next() const { return !slots_.empty() && slots_[first_ & mask_].has_value(); }

  /// Makes the element of that index in its place. Each index once, none before first().
  template <class... Args> [[gnu::always_inline]] void put(std::size_t index, Args&&... args) {
    assert(index >= first_);
    if (index - first_ > mask_ || slots_.empty()) [[unlikely]]
      grow(index - first_ + 1);
    slots_[index & mask_].emplace(std::forward<Args>(args)...);
  }

  /// The next element, where it lies. Requires has_next(). Lifetime: until drop_next(), or a put() that needs more
  /// room.
  T& next() { return *slots_[first_ & mask_]; }
  void drop_next() { slots_[first_++ & mask_].reset(); }

 private:
  [[gnu::cold, gnu::noinline]] void grow(std::size_t needed) {
    std::size_t size = slots_.empty() ? 16 : slots_.size();
    while (size < needed) size *= 2;
    std::vector<std::optional<T>> larger(size);
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (auto& held = slots_[(first_ + i) & mask_])
        larger[(first_ + i) & (size - 1)].emplace(std::move(*held)); // no assignment: T may have const members
    slots_.swap(larger);
    mask_ = size - 1;
  }

  std::vector<std::optional<T>> slots_; ///< size: a power of two, or none yet
  std::size_t mask_ = 0;                ///< size - 1
  std::size_t first_;
};

} // namespace lk::parallel::backends
