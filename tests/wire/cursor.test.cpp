// lk-parallel | SPDX-License-Identifier: MIT
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <lk/parallel/wire/cursor.hpp>

#include "support/catch.hpp"

using namespace lk::parallel;
using testing::contains;
using wire::reader;
using wire::writer;

namespace {

template <class T> std::vector<std::byte> bytes_of(const T& value) {
  writer out;
  out.put(value);
  return {out.bytes().begin(), out.bytes().end()};
}

} // namespace

TEST_CASE("what is written is read in the same order") {
  writer out;
  out.put(std::uint8_t{7});
  out.put(3.25);
  out.put_length(5);
  out.write("hello", 5);
  const std::array<std::int16_t, 5> words{1, 2, 3, 4, 5};
  out.put(words);

  reader in(out.bytes());
  CHECK(in.get<std::uint8_t>() == 7);
  CHECK(in.get<double>() == 3.25);
  REQUIRE(in.get_length(1) == 5);
  std::string text(5, ' ');
  in.read(text.data(), text.size());
  CHECK(text == "hello");
  CHECK(in.get<std::array<std::int16_t, 5>>() == words);
  CHECK(in.remaining() == 0);
  CHECK_NOTHROW(in.expect_end());
}

TEST_CASE("a writer stays in the place it was given while the bytes fit, and moves to the heap when they do not") {
  std::array<std::byte, 16> place{};
  writer out(place);
  out.put(std::uint64_t{1});
  out.put(std::uint64_t{2});
  CHECK(out.in_place());
  CHECK(out.bytes().data() == place.data());

  out.put(std::uint8_t{3});
  CHECK_FALSE(out.in_place());
  reader in(out.bytes());
  CHECK(in.get<std::uint64_t>() == 1);
  CHECK(in.get<std::uint64_t>() == 2);
  CHECK(in.get<std::uint8_t>() == 3);

  out.clear();
  CHECK(out.size() == 0);
  CHECK(out.in_place());
  out.put(std::uint8_t{9});
  CHECK(out.bytes().data() == place.data());
  CHECK(place[0] == std::byte{9});
}

TEST_CASE("a writer that overflows a second time keeps what it holds") {
  std::array<std::byte, 4> place{};
  writer out(place);
  for (int round = 0; round < 3; ++round) {
    out.clear();
    for (std::uint32_t i = 0; i < 1000; ++i) out.put(i);
    reader in(out.bytes());
    bool same = true;
    for (std::uint32_t i = 0; i < 1000; ++i) same = same && in.get<std::uint32_t>() == i;
    CHECK(same);
  }
}

TEST_CASE("claimed bytes are contiguous and belong to the message") {
  writer out;
  out.put(std::uint8_t{1});
  const auto room = out.claim(300);
  REQUIRE(room.size() == 300);
  std::memset(room.data(), 0x5A, room.size());
  CHECK(out.size() == 301);
  CHECK(out.bytes()[300] == std::byte{0x5A});
}

TEST_CASE("a moved writer takes its bytes along") {
  writer out;
  out.put(std::uint32_t{11});
  writer moved(std::move(out));
  reader in(moved.bytes());
  CHECK(in.get<std::uint32_t>() == 11);
}

TEST_CASE("a size that no memory can hold is bad_alloc, and the writer stays as it was") {
  writer out;
  out.put(std::uint32_t{11});
  CHECK_THROWS_AS(out.claim(std::numeric_limits<std::size_t>::max() - 2), std::bad_alloc);
  CHECK(out.size() == 4);
}

TEST_CASE("reading beyond the end is a wire_error that says how much was missing") {
  const auto bytes = bytes_of(std::uint32_t{1});
  CHECK_THROWS_AS(reader(bytes).get<std::uint64_t>(), wire_error);
  CHECK_THROWS_WITH(reader(bytes).get<std::uint64_t>(), contains("8 more bytes were needed and 4 were left"));
  CHECK_THROWS_AS(reader(bytes).take(5), wire_error);
  CHECK_THROWS_AS(reader({}).get<char>(), wire_error);
  CHECK(reader(bytes).take(4).size() == 4);
  CHECK(reader({}).take(0).empty());
}

TEST_CASE("a count that the rest of the message cannot hold is refused before memory is taken for it") {
  writer out;
  out.put_length(3);
  out.write("abcdef", 6);
  CHECK(reader(out.bytes()).get_length(2) == 3);
  CHECK_THROWS_AS(reader(out.bytes()).get_length(3), wire_error);
  CHECK_THROWS_AS(reader(bytes_of(std::numeric_limits<std::uint64_t>::max())).get_length(1), wire_error);
  CHECK_THROWS_AS(reader(bytes_of(std::numeric_limits<std::uint64_t>::max())).get_length(16), wire_error);
  CHECK(reader(bytes_of(std::uint64_t{100})).get_length(0) == 100);
  CHECK_THROWS_AS(reader(bytes_of(std::uint64_t{1} << 40)).get_length(0), wire_error);
}

TEST_CASE("bytes left over are refused by expect_end") {
  const auto bytes = bytes_of(std::uint16_t{1});
  reader in(bytes);
  static_cast<void>(in.get<std::uint8_t>());
  CHECK_THROWS_AS(in.expect_end(), wire_error);
}

TEST_CASE("nesting is counted up and down, and refused beyond max_depth") {
  reader in({});
  const auto descend = [&in](const auto& self, unsigned levels) -> void {
    if (levels == 0) return;
    const wire::nested level(in);
    self(self, levels - 1);
  };
  for (int round = 0; round < 2; ++round) {
    CHECK_NOTHROW(descend(descend, wire::max_depth));
    CHECK_THROWS_AS(descend(descend, wire::max_depth + 1), wire_error);
  }
}
