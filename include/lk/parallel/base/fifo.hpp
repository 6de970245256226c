// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cassert>
#include <cstddef>
#include <type_traits>
#include <vector>

// A queue of small records, in one piece of memory that grows and is kept: for paths on which std::deque, which makes
// and drops a block every few records, costs too much.

namespace lk::parallel::base {

template <class T> class fifo {
  static_assert(std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>);

 public:
  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }

  /// The i-th from the front. Requires i < size(). Lifetime: until the next push_back().
  const T& operator[](std::size_t i) const { return records_[(begin_ + i) & mask_]; }
  /// Requires a record.
  T& front() { return records_[begin_ & mask_]; }
  const T& front() const { return records_[begin_ & mask_]; }
  T& back() { return records_[(end_ - 1) & mask_]; }
  const T& back() const { return records_[(end_ - 1) & mask_]; }

  void push_back(const T& record) {
    if (size() == records_.size()) [[unlikely]]
      grow();
    records_[end_++ & mask_] = record;
  }
  void pop_front() {
    assert(!empty());
    ++begin_;
  }
  void clear() { begin_ = end_ = 0; }

 private:
  [[gnu::cold, gnu::noinline]] void grow() {
    std::vector<T> larger(records_.empty() ? 16 : 2 * records_.size());
    for (std::size_t i = 0; i < size(); ++i) larger[i] = (*this)[i];
    end_ = size();
    begin_ = 0;
    records_.swap(larger);
    mask_ = records_.size() - 1;
  }

  std::vector<T> records_;          ///< size: a power of two, or none yet
  std::size_t mask_ = 0;            ///< size - 1: kept, since T need not have a size that is easy to divide by
  std::size_t begin_ = 0, end_ = 0; ///< counts, not positions
};

} // namespace lk::parallel::base
