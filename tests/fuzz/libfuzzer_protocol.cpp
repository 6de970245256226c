// lk-parallel | SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <span>

#include "fuzz/protocol.hpp"

// As libfuzzer.cpp, for the host's side of the protocol.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lk::parallel::testing::play_protocol(std::as_bytes(std::span(data, size)), lk::parallel::testing::forgery::possible);
  return 0;
}
