// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/files/crc64.hpp>
#include <lk/parallel/files/file.hpp>
#include <lk/parallel/files/fingerprint.hpp>

// How the fingerprint of a file is taken, and told.

namespace lk::parallel {

namespace files {

/// In sixteen digits.
inline std::string hexadecimal(std::uint64_t number) {
  std::string text(16, '0');
  for (std::size_t at = text.size(); number != 0; number >>= 4) text[--at] = "0123456789abcdef"[number & 0xf];
  return text;
}

inline constexpr std::size_t piece_bytes = 1 << 20; ///< in which files are read and written

/// Reads the whole file, at about a gigabyte a second where it is in memory; its bytes go into sum, which is fresh.
/// Throws: resource_error where it cannot be read.
inline file_fingerprint fingerprint_with(const std::filesystem::path& path, crc64& sum) {
  const file input(path, O_RDONLY);
  std::string buffer(piece_bytes, '\0');
  std::uint64_t bytes = 0;
  while (true) {
    const std::string_view piece = input.read(bytes, buffer);
    if (piece.empty()) return {bytes, sum.value()};
    sum.add(piece);
    bytes += piece.size();
  }
}

} // namespace files

LK_PARALLEL_DEFINITION std::string file_fingerprint::crc64_text() const { return files::hexadecimal(crc64); }

LK_PARALLEL_DEFINITION std::string to_string(const file_fingerprint& of) {
  return std::to_string(of.bytes) + " bytes, crc64 " + of.crc64_text();
}

LK_PARALLEL_DEFINITION file_fingerprint fingerprint(const std::filesystem::path& path) {
  files::crc64 sum;
  return files::fingerprint_with(path, sum);
}

} // namespace lk::parallel
