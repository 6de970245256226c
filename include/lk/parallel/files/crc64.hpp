// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

// The checksum of files: CRC-64/XZ, which finds every error of up to 64 bits in a row and nearly all others. It can be
// taken piece by piece, in any pieces. Not for adversaries: whoever wants to can make a file with a given checksum.

namespace lk::parallel::files {

class crc64 {
 public:
  /// Eight bytes at a time, one table for the distance of each from the end.
  constexpr void add(std::string_view bytes) noexcept {
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
      std::uint64_t word = state_;
      for (unsigned i = 0; i < 8; ++i) word ^= byte_of(bytes[at + i]) << (8 * i);
      state_ = 0;
      for (unsigned i = 0; i < 8; ++i) state_ ^= tables[7 - i][(word >> (8 * i)) & 0xff];
    }
    for (; at < bytes.size(); ++at) state_ = tables[0][(state_ ^ byte_of(bytes[at])) & 0xff] ^ (state_ >> 8);
  }

  constexpr std::uint64_t value() const noexcept { return ~state_; }

 private:
  using table_set = std::array<std::array<std::uint64_t, 256>, 8>;

  static constexpr std::uint64_t byte_of(char c) { return static_cast<unsigned char>(c); }

  static constexpr table_set make_tables() {
    constexpr std::uint64_t polynomial = 0xc96c5795d7870f42U; // that of ECMA-182, lowest bit first
    table_set made{};
    for (std::size_t i = 0; i < 256; ++i) {
      std::uint64_t rest = i;
      for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? polynomial : 0);
      made[0][i] = rest;
    }
    for (std::size_t distance = 1; distance < 8; ++distance)
      for (std::size_t i = 0; i < 256; ++i) {
        const std::uint64_t before = made[distance - 1][i];
        made[distance][i] = made[0][before & 0xff] ^ (before >> 8);
      }
    return made;
  }

  static const table_set tables;

  std::uint64_t state_ = ~std::uint64_t{0};
};

inline constexpr crc64::table_set crc64::tables = crc64::make_tables();

constexpr std::uint64_t crc64_of(std::string_view bytes) noexcept {
  crc64 sum;
  sum.add(bytes);
  return sum.value();
}

static_assert(crc64_of("123456789") == 0x995dc9bbdf1939faU, "the check value of CRC-64/XZ");

} // namespace lk::parallel::files
