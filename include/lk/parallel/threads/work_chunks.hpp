// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <iterator>
#include <ranges>

// How a number of jobs is cut into chunks, with LensKit's arithmetic. The front's for_chunks and reduce_chunks take it;
// it knows nothing of threads.

namespace lk::parallel {

/// The jobs [begin, end).
struct chunk {
  std::size_t begin = 0; ///< the first job
  std::size_t end = 0;   ///< the one behind the last

  /// How many jobs it has.
  constexpr std::size_t size() const { return end - begin; }
  friend constexpr bool operator==(const chunk&, const chunk&) = default;
};

/// A random-access range of chunks that covers [0, total) without gaps; every chunk but the last holds chunk_size jobs.
/// Source: https://lkpy.lenskit.org/stable/api/lenskit.parallel.html (WorkChunks).
struct WorkChunks {
  std::size_t total = 0;       ///< jobs
  std::size_t chunk_size = 0;  ///< jobs in every chunk but the last
  std::size_t chunk_count = 0; ///< chunks

  /// Fewer than 100 jobs make one chunk, no jobs make none; else a chunk is a thousandth of the jobs, but 100 to 4000.
  static constexpr WorkChunks create(std::size_t n_jobs) {
    if (n_jobs == 0) return {};
    if (n_jobs < 100) return {n_jobs, n_jobs, 1};
    const std::size_t size = std::clamp<std::size_t>(n_jobs / 1000, 100, 4000);
    return {n_jobs, size, n_jobs / size + (n_jobs % size != 0)};
  }

  class iterator;
  constexpr iterator begin() const; ///< the first chunk
  constexpr iterator end() const;   ///< behind the last chunk
  /// How many chunks there are.
  constexpr std::size_t size() const { return chunk_count; }
  /// Whether there are no jobs.
  constexpr bool empty() const { return chunk_count == 0; }
  /// The chunk with this number, from 0.
  constexpr chunk operator[](std::size_t idx) const {
    const std::size_t first = idx * chunk_size;
    return {first, first + std::min(chunk_size, total - first)};
  }
  friend constexpr bool operator==(const WorkChunks&, const WorkChunks&) = default;
};

/// Makes its chunk when asked. Lifetime: holds the three numbers itself, so it may outlive the WorkChunks.
class WorkChunks::iterator {
 public:
  using iterator_concept = std::random_access_iterator_tag;
  using iterator_category = std::input_iterator_tag;
  using value_type = chunk;
  using difference_type = std::ptrdiff_t;

  constexpr iterator() = default;
  constexpr iterator(const WorkChunks& chunks, std::size_t idx) : chunks_(chunks), idx_(idx) {}

  constexpr chunk operator*() const { return chunks_[idx_]; }
  constexpr chunk operator[](difference_type n) const { return *(*this + n); }

  constexpr iterator& operator++() { return *this += 1; }
  constexpr iterator& operator--() { return *this -= 1; }
  constexpr iterator operator++(int) {
    iterator old = *this;
    ++*this;
    return old;
  }
  constexpr iterator operator--(int) {
    iterator old = *this;
    --*this;
    return old;
  }
  constexpr iterator& operator+=(difference_type n) {
    idx_ = static_cast<std::size_t>(static_cast<difference_type>(idx_) + n);
    return *this;
  }
  constexpr iterator& operator-=(difference_type n) { return *this += -n; }
  friend constexpr iterator operator+(iterator it, difference_type n) { return it += n; }
  friend constexpr iterator operator+(difference_type n, iterator it) { return it += n; }
  friend constexpr iterator operator-(iterator it, difference_type n) { return it -= n; }
  friend constexpr difference_type operator-(const iterator& a, const iterator& b) {
    return static_cast<difference_type>(a.idx_) - static_cast<difference_type>(b.idx_);
  }
  friend constexpr bool operator==(const iterator& a, const iterator& b) { return a.idx_ == b.idx_; }
  friend constexpr auto operator<=>(const iterator& a, const iterator& b) { return a.idx_ <=> b.idx_; }

 private:
  WorkChunks chunks_;
  std::size_t idx_ = 0;
};

constexpr WorkChunks::iterator WorkChunks::begin() const { return iterator(*this, 0); }
constexpr WorkChunks::iterator WorkChunks::end() const { return iterator(*this, chunk_count); }

static_assert(std::ranges::random_access_range<WorkChunks> && std::ranges::sized_range<WorkChunks>);

} // namespace lk::parallel
