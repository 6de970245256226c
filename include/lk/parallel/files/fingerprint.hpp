// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <lk/parallel/base/linkage.hpp>

// What tells one content of a file from another.

namespace lk::parallel {

/// Size and checksum of a file's content.
struct file_fingerprint {
  std::uint64_t bytes = 0; ///< its size
  std::uint64_t crc64 = 0; ///< CRC-64/XZ, as `xz -lvv` tells it of a compressed copy

  std::string crc64_text() const; ///< sixteen hexadecimal digits
  friend bool operator==(const file_fingerprint&, const file_fingerprint&) = default;
};

/// "1234 bytes, crc64 0123456789abcdef"
LK_PARALLEL_FUNCTION std::string to_string(const file_fingerprint& of);

/// Size and checksum of a file, read at about a gigabyte a second where it is in memory.
/// Throws: resource_error where it cannot be read.
LK_PARALLEL_FUNCTION file_fingerprint fingerprint(const std::filesystem::path& path);

} // namespace lk::parallel

#ifndef LK_PARALLEL_COMPILED
#include <lk/parallel/files/file_checksum.hpp>
#endif
