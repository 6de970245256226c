// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <lk/parallel/files/crc64.hpp>
#include <lk/parallel/files/file.hpp>

// What tells one content of a file from another.

namespace lk::parallel {

/// Size and checksum of a file's content.
struct file_fingerprint {
  std::uint64_t bytes = 0; ///< its size
  std::uint64_t crc64 = 0; ///< CRC-64/XZ, as `xz -lvv` tells it of a compressed copy

  std::string crc64_text() const; ///< sixteen hexadecimal digits
  friend bool operator==(const file_fingerprint&, const file_fingerprint&) = default;
};

namespace files {

/// In sixteen digits.
inline std::string hexadecimal(std::uint64_t number) {
  std::string text(16, '0');
  for (std::size_t at = text.size(); number != 0; number >>= 4) text[--at] = "0123456789abcdef"[number & 0xf];
  return text;
}

inline constexpr std::size_t piece_bytes = 1 << 20; ///< in which files are read and written

} // namespace files

inline std::string file_fingerprint::crc64_text() const { return files::hexadecimal(crc64); }

/// "1234 bytes, crc64 0123456789abcdef"
inline std::string to_string(const file_fingerprint& of) {
  return std::to_string(of.bytes) + " bytes, crc64 " + of.crc64_text();
}

/// Reads the whole file, at about a gigabyte a second where it is in memory; its bytes go into sum, which is fresh.
/// Throws: resource_error where it cannot be read.
inline file_fingerprint fingerprint(const std::filesystem::path& path, files::crc64& sum) {
  const files::file input(path, O_RDONLY);
  std::string buffer(files::piece_bytes, '\0');
  std::uint64_t bytes = 0;
  while (true) {
    const std::string_view piece = input.read(bytes, buffer);
    if (piece.empty()) return {bytes, sum.value()};
    sum.add(piece);
    bytes += piece.size();
  }
}

/// Size and checksum of a file. Throws: resource_error where it cannot be read.
inline file_fingerprint fingerprint(const std::filesystem::path& path) {
  files::crc64 sum;
  return fingerprint(path, sum);
}

} // namespace lk::parallel
