// lk-parallel | SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <span>

#include "fuzz/decoders.hpp"

// The libFuzzer end (https://llvm.org/docs/LibFuzzer.html): anything that escapes decode_any, and whatever the
// sanitizers say, is a finding. fuzz_corpus writes the inputs to begin with.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lk::parallel::testing::decode_any(std::as_bytes(std::span(data, size)));
  return 0;
}
