// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "fuzz/damage.hpp"

// Every decoder of the library behind one door for hostile bytes: the first byte chooses the decoder, the rest is its
// message. libfuzzer.cpp drives it with coverage, mutations.test.cpp with a seeded generator.

namespace lk::parallel::testing {

struct decoder {
  const char* name;
  void (*run)(std::span<const std::byte>); ///< Throws: wire_error, and only that
  std::vector<message> samples;            ///< good messages
};

const std::vector<decoder>& all_decoders();

/// Decodes; where that succeeds, encodes and decodes again and compares. A wire_error is a good end.
/// Throws: what no bytes must make the library throw.
void decode_any(std::span<const std::byte> input);

/// Good inputs of decode_any, one for each sample.
std::vector<message> all_samples();

} // namespace lk::parallel::testing
