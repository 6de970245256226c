// lk-parallel | SPDX-License-Identifier: MIT
#include <cstddef>
#include <exception>
#include <string>
#include <vector>

#include "fuzz/damage.hpp"
#include "fuzz/protocol.hpp"
#include "support/catch.hpp"

using namespace lk::parallel;
using testing::message;
using testing::play_protocol;

// The protocol's fuzz harness without libFuzzer.

namespace {

/// What came out of the host's side for a script, empty if nothing.
std::string escaped(const message& script) {
  try {
    play_protocol(script, testing::forgery::out_of_the_question);
    return {};
  } catch (const std::exception& e) {
    std::string text = std::string(e.what()) + "; script:";
    for (const std::byte one : script) text += ' ' + std::to_string(std::to_integer<int>(one));
    return text;
  }
}

} // namespace

TEST_CASE("the host gets on with honest workers, and with some that are not") {
  for (const message& script : testing::protocol_samples()) REQUIRE(escaped(script) == "");
}

TEST_CASE("whatever workers write, no answer is torn, doubled or lost, and nothing else is harmed") {
  const auto samples = testing::protocol_samples();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    testing::run_damaged(samples, i, 150, 2048, [](const message& script) {
      if (const std::string what = escaped(script); !what.empty()) FAIL(what);
    });
  }
}
