// lk-parallel | SPDX-License-Identifier: MIT
#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "support/catch.hpp"
#include "wire/round_trip.hpp"

using namespace lk::parallel;
using testing::decoded;
using testing::each_cut_is_refused;
using testing::encoded;
using testing::round_trip;

namespace {

class not_default {
 public:
  explicit not_default(int v) : value_(v) {}
  friend bool operator==(const not_default&, const not_default&) = default;

 private:
  int value_;
};

struct list {
  int head;
  std::unique_ptr<list> tail;
};

struct throws_when_copied {
  throws_when_copied() = default;
  throws_when_copied(const throws_when_copied&) { throw 1; }
  throws_when_copied& operator=(const throws_when_copied&) = default;
};

} // namespace

template <> struct lk::parallel::codec<throws_when_copied> {
  static void encode(const throws_when_copied&, wire::writer&) {}
  static throws_when_copied decode(wire::reader&) { return {}; }
};

TEST_CASE("strings travel with every byte they hold") {
  using namespace std::string_literals;
  CHECK(round_trip(""s).empty());
  CHECK(round_trip("a\0b\xFF"s) == "a\0b\xFF"s);
  CHECK(round_trip(U"\u00E9\U0001F600"s) == U"\u00E9\U0001F600"s);
  CHECK(round_trip(std::string(1 << 20, 'x')) == std::string(1 << 20, 'x'));
  CHECK(each_cut_is_refused("hello"s));
}

TEST_CASE("arrays, pairs and tuples travel") {
  const std::array<std::string, 2> words{"a", "b"};
  CHECK(round_trip(words) == words);
  CHECK(round_trip(std::array<int, 3>{1, 2, 3}) == std::array<int, 3>{1, 2, 3});
  CHECK(round_trip(std::array<std::string, 0>{}).empty());
  const std::array<not_default, 2> plain{not_default(1), not_default(2)};
  CHECK(round_trip(plain) == plain);
  const std::pair<const int, std::string> entry{3, "c"};
  CHECK(round_trip(entry) == entry);
  const std::tuple<int, std::string, std::pair<double, bool>> all{1, "two", {3.0, true}};
  CHECK(round_trip(all) == all);
  CHECK(round_trip(std::tuple<>{}) == std::tuple<>{});
  CHECK(each_cut_is_refused(all));
  CHECK(each_cut_is_refused(words));
}

TEST_CASE("optional and unique_ptr travel empty and full") {
  CHECK(round_trip(std::optional<std::string>()) == std::nullopt);
  CHECK(round_trip(std::optional<std::string>("x")) == "x");
  CHECK(round_trip(std::optional(not_default(4))) == not_default(4));
  CHECK(round_trip(std::optional(std::optional<int>())) == std::optional(std::optional<int>()));
  CHECK(round_trip(std::unique_ptr<int>()) == nullptr);
  CHECK(*round_trip(std::make_unique<std::string>("y")) == "y");
  CHECK(*round_trip(std::make_unique<const int>(6)) == 6);
  auto flag = encoded(std::optional<int>());
  flag[0] = std::byte{7};
  CHECK_THROWS_AS(decoded<std::optional<int>>(flag), wire_error);
}

TEST_CASE("a chain of unique_ptr travels, and one too long is refused on both ways") {
  list chain{0, nullptr};
  for (int i = 1; i < 100; ++i) chain = list{i, std::make_unique<list>(std::move(chain))};
  const list back = round_trip(chain);
  CHECK(back.head == 99);
  CHECK(back.tail->tail->head == 97);
  for (int i = 0; i < 100; ++i) chain = list{i, std::make_unique<list>(std::move(chain))};
  CHECK_THROWS_AS(encoded(chain), wire_error);
  CHECK_THROWS_AS(decoded<list>(std::vector<std::byte>(1 << 20, std::byte{1})), wire_error);
}

TEST_CASE("variant keeps which alternative it holds") {
  using either = std::variant<std::monostate, int, std::string, not_default, int>;
  CHECK(round_trip(either()).index() == 0);
  CHECK(round_trip(either("three")) == either("three"));
  CHECK(round_trip(either(std::in_place_index<4>, 9)).index() == 4);
  CHECK(round_trip(either(not_default(2))) == either(not_default(2)));
  CHECK(each_cut_is_refused(either("three")));
  auto bytes = encoded(either());
  bytes[0] = std::byte{5};
  CHECK_THROWS_AS(decoded<either>(bytes), wire_error);
}

TEST_CASE("a variant without a value is refused") {
  std::variant<int, throws_when_copied> either = 1;
  const throws_when_copied value;
  CHECK_THROWS_AS(either.emplace<1>(value), int);
  REQUIRE(either.valueless_by_exception());
  CHECK_THROWS_AS(encoded(either), wire_error);
}

TEST_CASE("chrono types, complex numbers and paths travel") {
  const auto now = std::chrono::system_clock::now();
  CHECK(round_trip(now) == now);
  CHECK(round_trip(std::chrono::duration<double>(0.5)) == std::chrono::duration<double>(0.5));
  CHECK(round_trip(std::chrono::year_month_day(std::chrono::year(2024), std::chrono::month(2), std::chrono::day(29)))
            .ok());
  CHECK(round_trip(std::complex<double>(1, -1)) == std::complex<double>(1, -1));
  CHECK(round_trip(std::filesystem::path("/a/b\xFF c")) == std::filesystem::path("/a/b\xFF c"));
}

TEST_CASE("bits beyond the end of a bitset are cleared") {
  CHECK(round_trip(std::bitset<70>(5)).to_ulong() == 5);
  std::vector<std::byte> bytes(sizeof(std::bitset<5>), std::byte{0xFF});
  CHECK(decoded<std::bitset<5>>(bytes).count() == 5);
  CHECK(decoded<std::bitset<5>>(bytes).to_ulong() == 31);
}
