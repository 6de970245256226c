// lk-parallel | SPDX-License-Identifier: MIT
#include <array>
#include <chrono>
#include <complex>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "wire/round_trip.hpp"

using namespace lk::parallel;
using testing::decoded;
using testing::each_cut_is_refused;
using testing::encoded;
using testing::round_trip;

namespace {

enum class colour : std::uint8_t { red, green };

struct scored_item {
  std::int32_t item;
  float score;
  friend bool operator==(const scored_item&, const scored_item&) = default;
};

struct flags {
  std::int32_t number;
  bool yes;
  std::array<bool, 2> pair;
  bool list[2];
  friend bool operator==(const flags&, const flags&) = default;
};

struct request {
  std::string user;
  const std::uint32_t n;
  std::vector<scored_item> seen;
  colour tint;
  friend bool operator==(const request&, const request&) = default;
};

struct with_arrays {
  std::string name;
  int numbers[3];
  std::string words[2][2];
  friend bool operator==(const with_arrays&, const with_arrays&) = default;
};

struct with_bits {
  std::string name;
  int three : 3;
  unsigned two : 2;
};

struct node {
  int value;
  std::vector<node> children;
  friend bool operator==(const node&, const node&) = default;
};

struct nothing {
  ~nothing() {} // an aggregate that is not trivially copyable, so its codec is member by member
  friend bool operator==(const nothing&, const nothing&) = default;
};

struct large {
  std::array<double, 100> row;
  friend bool operator==(const large&, const large&) = default;
};

class interval { // trivially copyable, with secrets
 public:
  interval(int from, int to) : from_(from), to_(to) {}
  friend bool operator==(const interval&, const interval&) = default;

 private:
  int from_, to_;
};

class date {
 public:
  explicit date(int days) : days_(days) {}
  int days() const { return days_; }
  friend bool operator==(const date&, const date&) = default;

 private:
  int days_;
  std::string cache_;
};

struct diary {
  std::string owner;
  std::vector<date> days;
  friend bool operator==(const diary&, const diary&) = default;
};

class chain { // a user's codec that calls itself
 public:
  std::vector<chain> links;
};

template <class T> std::vector<std::byte> patched(const T& value, std::size_t at, unsigned char byte) {
  auto bytes = encoded(value);
  bytes.at(at) = std::byte{byte};
  return bytes;
}

} // namespace

template <> struct lk::parallel::codec<date> {
  static void encode(const date& value, wire::writer& out) { wire::encode(value.days(), out); }
  static date decode(wire::reader& in) { return date(wire::decode<int>(in)); }
};

template <> struct lk::parallel::codec<chain> {
  static void encode(const chain& value, wire::writer& out) { wire::encode(value.links, out); }
  static chain decode(wire::reader& in) { return {wire::decode<std::vector<chain>>(in)}; }
};

static_assert(wire::is_flat<scored_item>() && wire::is_flat<flags>() && wire::is_flat<interval>());
static_assert(wire::is_flat<std::chrono::system_clock::time_point>() && wire::is_flat<std::complex<double>>());
static_assert(!wire::is_flat<request>() && !wire::is_flat<date>() && !wire::is_flat<diary>());
static_assert(wire::min_size<node>() == 4 + 8 && wire::min_size<nothing>() == 1 && wire::min_size<date>() == 0);

TEST_CASE("numbers, enumerations and trivially copyable classes travel as their bytes") {
  CHECK(round_trip(std::int64_t{-5}) == -5);
  CHECK(encoded(std::int64_t{-5}).size() == 8);
  CHECK(round_trip(true));
  CHECK(round_trip(2.5L) == 2.5L);
  CHECK(round_trip(colour::green) == colour::green);
  CHECK(round_trip(scored_item{3, 0.5F}) == scored_item{3, 0.5F});
  CHECK(round_trip(interval(2, 4)) == interval(2, 4));
  CHECK(round_trip(std::complex<float>(1, 2)) == std::complex<float>(1, 2));
  CHECK(round_trip(std::chrono::milliseconds(7)) == std::chrono::milliseconds(7));
  large big{};
  big.row[99] = 1.5;
  CHECK(round_trip(big) == big);
}

TEST_CASE("a not-a-number keeps its bits") {
  const double value = std::numeric_limits<double>::quiet_NaN();
  CHECK(encoded(round_trip(value)) == encoded(value));
}

TEST_CASE("aggregates travel member by member without a macro") {
  const request value{"ann", 10, {{1, 0.5F}, {2, 0.25F}}, colour::green};
  CHECK(round_trip(value) == value);
  CHECK(each_cut_is_refused(value));
  CHECK(round_trip(nothing{}) == nothing{});
  CHECK(encoded(nothing{}).size() == 1);
}

TEST_CASE("array members and bit-fields beside strings travel") {
  const with_arrays value{"x", {1, 2, 3}, {{"a", "b"}, {"c", "d"}}};
  CHECK(round_trip(value) == value);
  CHECK(each_cut_is_refused(value));
  const with_bits bits = round_trip(with_bits{"y", -3, 2});
  CHECK(bits.name == "y");
  CHECK(bits.three == -3);
  CHECK(bits.two == 2);
}

TEST_CASE("a bool that is neither true nor false is refused wherever it hides") {
  CHECK_THROWS_AS(decoded<bool>(patched(true, 0, 2)), wire_error);
  const flags value{1, true, {true, false}, {false, true}};
  CHECK(round_trip(value) == value);
  for (std::size_t at = 4; at < 9; ++at) CHECK_THROWS_AS(decoded<flags>(patched(value, at, 255)), wire_error);
  CHECK_THROWS_AS(decoded<std::vector<flags>>(patched(std::vector<flags>(3, value), 8 + 2 * sizeof(flags) + 4, 2)),
                  wire_error);
}

TEST_CASE("a type with a codec of its own travels by it, alone and inside others") {
  CHECK(round_trip(date(12)) == date(12));
  const diary value{"bob", {date(1), date(2)}};
  CHECK(round_trip(value) == value);
}

TEST_CASE("recursive types travel") {
  const node tree{1, {{2, {}}, {3, {{4, {}}, {5, {}}}}}};
  CHECK(round_trip(tree) == tree);
  CHECK(each_cut_is_refused(tree));
}

TEST_CASE("nesting beyond max_depth is refused on the way out and on the way in") {
  node deepest{0, {}};
  for (unsigned i = 1; i < wire::max_depth; ++i) {
    node around{static_cast<int>(i), {}};
    around.children.push_back(std::move(deepest));
    deepest = std::move(around);
  }
  CHECK(round_trip(deepest) == deepest);
  node deeper{-1, {}};
  deeper.children.push_back(std::move(deepest));
  CHECK_THROWS_AS(encoded(deeper), wire_error);

  const std::vector<std::uint64_t> ones(1 << 20, 1); // by its bytes: a million levels of one child each
  CHECK_THROWS_AS(decoded<node>(encoded(ones)), wire_error);
  CHECK_THROWS_AS(decoded<chain>(encoded(ones)), wire_error);
}
