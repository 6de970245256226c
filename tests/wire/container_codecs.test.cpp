// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
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

struct blank {};

struct wide {
  std::optional<std::array<char, 4096>> page;
};

template <class Container> bool same_order(const Container& a, const Container& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

/// A message that announces `count` elements and holds none of them.
std::vector<std::byte> announcing(std::uint64_t count) { return encoded(count); }

} // namespace

template <> struct lk::parallel::codec<blank> { // takes no bytes at all
  static void encode(const blank&, wire::writer&) {}
  static blank decode(wire::reader&) { return {}; }
};

TEST_CASE("vectors of flat elements are one count and one piece of memory") {
  const std::vector<std::int32_t> numbers{1, 2, 3};
  CHECK(round_trip(numbers) == numbers);
  CHECK(encoded(numbers).size() == 8 + 12);
  CHECK(round_trip(std::vector<double>()).empty());
  const std::vector<not_default> plain(3, not_default(7));
  CHECK(round_trip(plain) == plain);
  CHECK(round_trip(std::vector<std::monostate>(5)).size() == 5);
  CHECK(each_cut_is_refused(numbers));
}

TEST_CASE("vectors of other elements travel one by one") {
  const std::vector<std::string> words{"a", "", "long enough for the heap of any string"};
  CHECK(round_trip(words) == words);
  CHECK(each_cut_is_refused(words));
  std::vector<std::unique_ptr<int>> owners;
  owners.push_back(std::make_unique<int>(3));
  CHECK(*round_trip(owners)[0] == 3);
  CHECK(round_trip(std::vector<blank>(100)).size() == 100);
}

TEST_CASE("vector<bool> travels eight to a byte") {
  for (std::size_t n : {0U, 1U, 7U, 8U, 9U, 1000U}) {
    std::vector<bool> bits(n);
    for (std::size_t i = 0; i < n; ++i) bits[i] = i % 3 == 0;
    CHECK(round_trip(bits) == bits);
    CHECK(encoded(bits).size() == 8 + (n + 7) / 8);
    CHECK(each_cut_is_refused(bits));
  }
}

TEST_CASE("deques and lists travel") {
  const std::deque<std::string> queue{"a", "b"};
  CHECK(round_trip(queue) == queue);
  const std::list<int> numbers{3, 1, 2};
  CHECK(round_trip(numbers) == numbers);
}

TEST_CASE("ordered maps and sets travel with their order") {
  const std::map<std::string, std::vector<int>> map{{"a", {1}}, {"b", {}}};
  CHECK(round_trip(map) == map);
  CHECK(each_cut_is_refused(map));
  const std::multimap<int, int, std::greater<>> multi{{1, 2}, {1, 1}, {0, 5}};
  CHECK(same_order(round_trip(multi), multi));
  CHECK(round_trip(std::set<std::string>{"x", "y"}) == std::set<std::string>{"x", "y"});
  CHECK(round_trip(std::multiset<int>{1, 1, 2}).count(1) == 2);
}

TEST_CASE("hash tables arrive in the order in which they were sent") {
  std::unordered_map<std::string, int> map;
  std::unordered_set<int> set;
  std::unordered_multimap<int, int> multi;
  for (int i = 0; i < 2000; ++i) {
    map.emplace(std::to_string(i * 7919), i);
    set.insert(i * 104729 % 65536);
    multi.emplace(i % 50, i);
  }
  for (int i = 0; i < 2000; i += 3) map.erase(std::to_string(i * 7919));
  CHECK(same_order(round_trip(map), map));
  CHECK(same_order(round_trip(set), set));
  CHECK(same_order(round_trip(multi), multi));
  CHECK(round_trip(std::unordered_map<int, int>()).empty());
  CHECK(each_cut_is_refused(std::unordered_set<std::string>{"a", "b"}));
}

TEST_CASE("a key twice in a map or set is refused") {
  CHECK_THROWS_AS(decoded<std::set<int>>(encoded(std::vector<int>{1, 1})), wire_error);
  CHECK_THROWS_AS((decoded<std::map<int, int>>(encoded(std::vector<std::pair<int, int>>{{1, 1}, {1, 2}}))), wire_error);
  CHECK_THROWS_AS(decoded<std::unordered_set<int>>(encoded(std::pair(std::uint64_t{13}, std::vector<int>{1, 1}))),
                  wire_error);
}

TEST_CASE("elements sent out of order are put in order") {
  CHECK(decoded<std::set<int>>(encoded(std::vector<int>{3, 1, 2})) == std::set<int>{1, 2, 3});
}

TEST_CASE("a count that lies is refused by every container without taking memory for it") {
  for (const std::uint64_t count : {std::uint64_t{1} << 24, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    const auto bytes = announcing(count);
    CHECK_THROWS_AS(decoded<std::string>(bytes), wire_error);
    CHECK_THROWS_AS(decoded<std::vector<int>>(bytes), wire_error);
    CHECK_THROWS_AS(decoded<std::vector<bool>>(bytes), wire_error);
    CHECK_THROWS_AS(decoded<std::vector<std::string>>(bytes), wire_error);
    CHECK_THROWS_AS(decoded<std::vector<std::monostate>>(bytes), wire_error);
    CHECK_THROWS_AS(decoded<std::vector<blank>>(bytes), wire_error);
    CHECK_THROWS_AS(decoded<std::vector<wide>>(bytes), wire_error);
    CHECK_THROWS_AS(decoded<std::list<char>>(bytes), wire_error);
    CHECK_THROWS_AS((decoded<std::map<int, std::string>>(bytes)), wire_error);
    CHECK_THROWS_AS(decoded<std::unordered_set<int>>(encoded(std::pair(std::uint64_t{1}, count))), wire_error);
  }
}

TEST_CASE("a hash table that announces too many buckets gets some") {
  const auto bytes = encoded(std::pair(~std::uint64_t{0}, std::vector<int>{1, 2, 3}));
  const auto set = decoded<std::unordered_set<int>>(bytes);
  CHECK(set == std::unordered_set<int>{1, 2, 3});
  CHECK(set.bucket_count() < 1000);
}
