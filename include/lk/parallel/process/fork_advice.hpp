// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <lk/parallel/base/posix.hpp>

// What a fork has cost, and how to make it cheap: for hosts whose memory lies in many small pages.

namespace lk::parallel::process {

/// Of the process whose /proc/PID/status this is; 0 where it does not say. Units: bytes.
inline std::size_t page_table_bytes(std::string_view status) {
  constexpr std::string_view key = "\nVmPTE:";
  std::size_t at = status.find(key);
  if (at == std::string_view::npos) return 0;
  at = status.find_first_not_of(" \t", at + key.size());
  if (at == std::string_view::npos) return 0;
  std::size_t kib = 0;
  std::from_chars(status.data() + at, status.data() + status.size(), kib);
  return kib * 1024;
}

/// A sentence for the log, where a fork took long because of the memory that the process has written.
inline std::optional<std::string> fork_advice(std::chrono::nanoseconds took, std::size_t page_tables) {
  constexpr auto long_fork = std::chrono::milliseconds(5);
  constexpr std::size_t large_tables = std::size_t{7} << 18; // of most of a gigabyte in pages of 4 KiB
  if (took < long_fork || page_tables < large_tables) return std::nullopt;
  const auto tenths = [](auto value) { return std::to_string(value / 10) + "." + std::to_string(value % 10); };
  const auto tenth_ms = std::chrono::duration_cast<std::chrono::microseconds>(took).count() / 100;
  return "forking this process took " + tenths(tenth_ms) +
         " ms, and forking each worker takes about as long: the kernel copies " + tenths(page_tables * 10 >> 20) +
         " MiB of page tables. A model in memory of lk::parallel::huge_page_resource, or given to "
         "lk::parallel::prefer_huge_pages(), is forked in well under a millisecond a gigabyte";
}

/// The same about a fork that this process has just made.
inline std::optional<std::string> advice_on_own_fork(std::chrono::nanoseconds took) {
  if (!fork_advice(took, SIZE_MAX >> 8)) return std::nullopt; // it was quick: nothing is looked up
  return fork_advice(took, page_table_bytes(base::read_small_file("/proc/self/status").value_or("")));
}

} // namespace lk::parallel::process
