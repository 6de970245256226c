// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include <sys/mman.h>
#include <sys/types.h>

// Which process passed which fault point last, and when: a table in memory that the driver made and every process of
// the victim inherits. The driver reads it when the victim hangs. No header of the library.

namespace lk::parallel::faults {

/// Written by one process, read by the driver, which may see half of an entry: it is for people.
struct sign_of_life {
  static constexpr std::size_t name_words = 4;

  std::atomic<int> pid{0};
  std::atomic<std::uint64_t> count{0};
  std::atomic<std::int64_t> at_ns{0}; ///< steady clock, the same in all processes
  std::array<std::atomic<std::uint64_t>, name_words> name{};

  std::string point() const {
    char text[name_words * sizeof(std::uint64_t) + 1] = {};
    for (std::size_t i = 0; i < name_words; ++i) {
      const std::uint64_t word = name[i].load(std::memory_order_relaxed);
      std::memcpy(text + i * sizeof word, &word, sizeof word);
    }
    return text;
  }

  std::int64_t age_ns() const { return now_ns() - at_ns.load(std::memory_order_relaxed); }

  static std::int64_t now_ns() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
  }
};

class signs_of_life {
 public:
  static constexpr std::size_t n_entries = 4096;
  static constexpr std::size_t bytes = n_entries * sizeof(sign_of_life);

  /// A fresh file descriptor's memory is all zero, which is an empty table. Null where it cannot be mapped.
  static signs_of_life* map(int fd) {
    void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? nullptr : static_cast<signs_of_life*>(at);
  }
  void unmap() { ::munmap(static_cast<void*>(this), bytes); }

  void note(pid_t pid, const char* point) {
    sign_of_life& mine = of(pid);
    if (mine.pid.exchange(pid, std::memory_order_relaxed) != pid) mine.count.store(0, std::memory_order_relaxed);
    char text[sign_of_life::name_words * sizeof(std::uint64_t)] = {};
    std::memcpy(text, point, ::strnlen(point, sizeof text));
    for (std::size_t i = 0; i < sign_of_life::name_words; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, text + i * sizeof word, sizeof word);
      mine.name[i].store(word, std::memory_order_relaxed);
    }
    mine.at_ns.store(sign_of_life::now_ns(), std::memory_order_relaxed);
    mine.count.fetch_add(1, std::memory_order_relaxed);
  }

  /// Null where that process has passed no point (or another one took its place in the table since).
  const sign_of_life* find(pid_t pid) {
    const sign_of_life& entry = of(pid);
    return entry.pid.load(std::memory_order_relaxed) == pid ? &entry : nullptr;
  }

 private:
  sign_of_life& of(pid_t pid) { return entries_[static_cast<std::size_t>(pid) % n_entries]; }

  std::array<sign_of_life, n_entries> entries_;
};

} // namespace lk::parallel::faults
