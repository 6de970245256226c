// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

// Whether memory may be touched at all. Used where an address is known from before.

namespace lk::parallel::shm {

/// True where every page of these bytes is there. Threads: true only for the moment.
inline bool is_mapped(const void* address, std::size_t size) noexcept {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<std::uintptr_t>(address) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(address) + size;
  return ::msync(reinterpret_cast<void*>(first), end - first, MS_ASYNC) == 0;
}

} // namespace lk::parallel::shm
