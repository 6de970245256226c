// lk-parallel | SPDX-License-Identifier: MIT
#include <cstddef>
#include <exception>
#include <string>

#include <lk/parallel/base/error.hpp>

#include "fuzz/damage.hpp"
#include "fuzz/decoders.hpp"
#include "support/catch.hpp"

using namespace lk::parallel;
using testing::all_decoders;
using testing::decode_any;
using testing::message;

// The decoders' fuzz harness without libFuzzer.

namespace {

/// What decode_any let escape for an input, empty if nothing.
std::string escaped(const message& input) {
  try {
    decode_any(input);
    return {};
  } catch (const std::exception& e) {
    return all_decoders()[std::to_integer<std::size_t>(input.at(0)) % all_decoders().size()].name + std::string(": ") +
           e.what();
  }
}

} // namespace

TEST_CASE("every decoder takes its own good messages") {
  for (const auto& decoder : all_decoders()) {
    for (const message& sample : decoder.samples) {
      INFO(decoder.name);
      CHECK_NOTHROW(decoder.run(sample));
    }
  }
}

TEST_CASE("damaged messages give a value or a wire_error, and nothing else") {
  const auto samples = testing::all_samples();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    testing::run_damaged(samples, i, 4000, 4096, [&](message& input) {
      input[0] = samples[i][0]; // the same decoder
      if (const std::string what = escaped(input); !what.empty()) FAIL(what);
    });
  }
}
