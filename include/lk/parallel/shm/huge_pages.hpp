// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include <lk/parallel/shm/segment.hpp>

// Private memory in pages of two megabytes. A fork copies one entry of the page tables for each page that the parent
// has written, so for the same memory it copies a five-hundredth. (madvise(2): MADV_HUGEPAGE, MADV_COLLAPSE.)

namespace lk::parallel::shm {

inline constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

#ifdef MADV_COLLAPSE
inline constexpr int advice_collapse = MADV_COLLAPSE;
#else
inline constexpr int advice_collapse = 25; // Linux 6.1; the C library's headers may be older
#endif

/// The whole huge pages inside.
inline std::span<std::byte> huge_pages_in(std::span<std::byte> memory) {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::size_t before = round_up(begin, huge_page_bytes) - begin;
  if (memory.size() < before + huge_page_bytes) return {};
  return memory.subspan(before, (memory.size() - before) / huge_page_bytes * huge_page_bytes);
}

/// Asks for huge pages where memory is written from here on, and for what was written already. False where the system
/// gives none. Blocks: while the kernel copies what was written.
inline bool ask_for_huge_pages(std::span<std::byte> memory) noexcept {
  const auto pages = huge_pages_in(memory);
  if (pages.empty()) return false;
  const bool is_granted = ::madvise(pages.data(), pages.size(), MADV_HUGEPAGE) == 0;
  return ::madvise(pages.data(), pages.size(), advice_collapse) == 0 || is_granted;
}

/// Memory of its own, in huge pages as far as the system gives any. Takes whole huge pages. Throws: std::bad_alloc.
inline std::byte* map_huge_pages(std::size_t bytes) {
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  const std::size_t wanted = round_up(bytes, huge_page_bytes);
  // A mapping begins anywhere, so one page more is mapped, and what is too much is given back.
  void* const all = ::mmap(nullptr, wanted + huge_page_bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED) throw std::bad_alloc();
  const auto begin = reinterpret_cast<std::uintptr_t>(all);
  const std::size_t before = round_up(begin, huge_page_bytes) - begin;
  auto* const pages = static_cast<std::byte*>(all) + before;
  if (before != 0) ::munmap(all, before);
  if (before != huge_page_bytes) ::munmap(pages + wanted, huge_page_bytes - before);
  ::madvise(pages, wanted, MADV_HUGEPAGE);
  return pages;
}

inline void unmap_huge_pages(std::byte* pages, std::size_t bytes) noexcept {
  ::munmap(pages, round_up(bytes, huge_page_bytes));
}

} // namespace lk::parallel::shm
