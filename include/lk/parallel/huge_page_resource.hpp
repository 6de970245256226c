// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory_resource>
#include <mutex>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include <lk/parallel/shm/huge_pages.hpp>

// Where to put a large model, so that worker processes are forked in microseconds: a fork copies the page tables of
// what its parent has written, some 18 milliseconds for a gigabyte in small pages. docs/performance.md has the figures.

namespace lk::parallel {

/// Gives memory in pages of two megabytes, for std::pmr containers. What is deallocated goes back to the system if it
/// was at least as large as a page, else it is kept for the next that is as small. Threads: any. Fork: in a worker,
/// what lies here is read like all of the model; nothing may be allocated from it there. Throws from allocate():
/// std::bad_alloc. Where the system has huge pages switched off, the memory is in small pages.
class huge_page_resource final : public std::pmr::memory_resource {
 public:
  huge_page_resource() = default;

 private:
  /// What the pools of small pieces are made from: one piece behind the other, none given back before the end.
  class chunks final : public std::pmr::memory_resource {
   public:
    chunks() = default;
    chunks(const chunks&) = delete;
    chunks& operator=(const chunks&) = delete;
    ~chunks() override {
      for (const auto& [pages, bytes] : mapped_) shm::unmap_huge_pages(pages, bytes);
    }

   private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
      if (alignment > shm::huge_page_bytes) throw std::bad_alloc();
      std::size_t begin = shm::round_up(used_, alignment);
      if (mapped_.empty() || begin + bytes > mapped_.back().second) {
        const std::size_t wanted = std::max(bytes, 4 * shm::huge_page_bytes);
        mapped_.emplace_back(nullptr, 0); // first, so that no mapping is lost where memory for this runs out
        mapped_.back() = {map_or_forget(wanted), wanted};
        begin = 0;
      }
      used_ = begin + bytes;
      return mapped_.back().first + begin;
    }
    void do_deallocate(void*, std::size_t, std::size_t) override {}
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    std::byte* map_or_forget(std::size_t bytes) {
      try {
        return shm::map_huge_pages(bytes);
      } catch (...) {
        mapped_.pop_back();
        throw;
      }
    }

    std::vector<std::pair<std::byte*, std::size_t>> mapped_;
    std::size_t used_ = 0; ///< of the last one
  };

  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (alignment > shm::huge_page_bytes) throw std::bad_alloc();
    if (bytes >= shm::huge_page_bytes) return shm::map_huge_pages(bytes);
    const std::lock_guard lock(mutex_);
    return small_.allocate(bytes, alignment);
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    if (bytes >= shm::huge_page_bytes) return shm::unmap_huge_pages(static_cast<std::byte*>(memory), bytes);
    const std::lock_guard lock(mutex_);
    small_.deallocate(memory, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::mutex mutex_; // guards the rest
  chunks chunks_;
  std::pmr::unsynchronized_pool_resource small_{&chunks_};
};

/// The same for memory that is there already, such as that of an Eigen matrix or a std::vector: where it is written
/// from now on, and what was written so far, which the kernel then copies once (Linux 6.1). Only whole pages of two
/// megabytes inside count. False where there is none, or the system gives none. Blocks: some tenths of a second for a
/// gigabyte that was written.
inline bool prefer_huge_pages(std::span<std::byte> memory) noexcept { return shm::ask_for_huge_pages(memory); }

/// The memory of a contiguous container: `prefer_huge_pages(vector)`.
template <class Container>
requires requires(Container& c) { std::span(c.data(), static_cast<std::size_t>(c.size())); }
bool prefer_huge_pages(Container& container) noexcept {
  return prefer_huge_pages(
      std::as_writable_bytes(std::span(container.data(), static_cast<std::size_t>(container.size()))));
}

} // namespace lk::parallel
