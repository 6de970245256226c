// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// A job cut into blocks that independent processes do, on one machine or many.

namespace recsys {

struct shard {
  std::size_t index = 1, of = 1; ///< from 1 to of

  bool is_whole_job() const { return of == 1; }
  friend bool operator==(const shard&, const shard&) = default;
};

/// "2/8"; nothing for any other text.
inline std::optional<shard> parse_shard(std::string_view text) {
  shard found;
  const char* const end = text.data() + text.size();
  const auto index = std::from_chars(text.data(), end, found.index);
  if (index.ec != std::errc{} || index.ptr == end || *index.ptr != '/') return std::nullopt;
  const auto of = std::from_chars(index.ptr + 1, end, found.of);
  if (of.ec != std::errc{} || of.ptr != end) return std::nullopt;
  if (found.index < 1 || found.index > found.of || found.of > 1'000'000) return std::nullopt;
  return found;
}

/// Where the lists of a shard go: OUT.shard-2-of-8; OUT itself for the whole job.
inline std::string shard_file(const std::string& out, const shard& part) {
  if (part.is_whole_job()) return out;
  return out + ".shard-" + std::to_string(part.index) + "-of-" + std::to_string(part.of);
}

/// Tasks from begin to end - 1.
struct task_block {
  std::size_t begin = 0, end = 0;

  std::size_t size() const { return end - begin; }
  friend bool operator==(const task_block&, const task_block&) = default;
};

/// Blocks lie side by side, and no two differ by more than one task.
inline task_block block_of(const shard& part, std::size_t n_tasks) {
  const std::size_t each = n_tasks / part.of, left = n_tasks % part.of;
  const auto begin = [&](std::size_t before) { return before * each + (before < left ? before : left); };
  return {begin(part.index - 1), begin(part.index)};
}

} // namespace recsys
