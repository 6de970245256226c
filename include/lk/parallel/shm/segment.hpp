// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include <lk/parallel/base/fault_point.hpp>
#include <lk/parallel/base/posix.hpp>

// Anonymous memory shared with the processes forked after it was made. It has no name, so nothing can be left behind
// in the file system, and a process that should not see a part of it takes that part out of its own map.

namespace lk::parallel::shm {

inline std::size_t page_bytes() {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

constexpr std::size_t round_up(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }

class segment {
 public:
  /// Throws: resource_error.
  explicit segment(std::size_t bytes) : bytes_(round_up(bytes, page_bytes())) {
    data_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    LK_PARALLEL_FAULT_POINT("mmap", ::munmap(std::exchange(data_, MAP_FAILED), bytes_), errno = ENOMEM);
    if (data_ == MAP_FAILED) base::throw_errno("mmap of the shared segment", base::remedy_for_memory);
    ::madvise(data_, bytes_, MADV_DONTDUMP);
  }
  ~segment() {
    if (data_) ::munmap(data_, bytes_);
  }
  segment(segment&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
  segment& operator=(segment&&) = delete;

  void release() { data_ = nullptr; }

  std::span<std::byte> bytes() const { return {static_cast<std::byte*>(data_), bytes_}; }

 private:
  void* data_;
  std::size_t bytes_;
};

/// From here on this process cannot write these pages. Throws: resource_error.
inline void make_read_only(std::span<std::byte> pages) {
  base::check("mprotect", base::remedy_for_memory, [&] { return ::mprotect(pages.data(), pages.size(), PROT_READ); });
}

/// From here on these pages do not exist in this process. Throws: resource_error.
inline void take_out_of_map(std::span<std::byte> pages) {
  if (pages.empty()) return;
  base::check("munmap", base::remedy_for_memory, [&] { return ::munmap(pages.data(), pages.size()); });
}

} // namespace lk::parallel::shm
