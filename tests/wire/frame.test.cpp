// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/wire/frame.hpp>

using namespace lk::parallel;

namespace {

/// What the assembler makes of a piece of text.
std::optional<std::string> add(wire::assembler& assembler, const std::string& text, bool more, std::uint64_t ticket) {
  const auto whole = assembler.add(1, ticket, more, std::as_bytes(std::span(text)));
  if (!whole) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(whole->data()), whole->size());
}

} // namespace

TEST_CASE("a message in pieces is put together again") {
  wire::assembler assembler;
  for (int round = 0; round < 2; ++round) {
    REQUIRE(add(assembler, "one", false, 1) == "one");
    REQUIRE(!add(assembler, "one", true, 2));
    REQUIRE(!add(assembler, "two", true, 2));
    REQUIRE(add(assembler, "three", false, 2) == "onetwothree");
  }
}

TEST_CASE("a piece that does not continue the message before it is refused") {
  wire::assembler assembler;
  REQUIRE(!add(assembler, "one", true, 3));
  REQUIRE_THROWS_AS(add(assembler, "two", false, 4), wire_error);
  assembler.reset();
  REQUIRE_THROWS_AS(add(assembler, "", true, 5), wire_error);
  REQUIRE(add(assembler, "", false, 5) == "");
}

TEST_CASE("the flags of a frame hold the attempt and whether more follows") {
  for (const int attempt : {0, 1, 2, wire::frame_flags::most_attempts})
    for (const bool more : {false, true}) {
      const wire::frame_flags read(wire::frame_flags(attempt, more).bits());
      REQUIRE(read.attempt() == attempt);
      REQUIRE(read.more() == more);
    }
}
