// lk-parallel | SPDX-License-Identifier: MIT
#include <array>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include <lk/parallel/wire/aggregate.hpp>

#include "support/catch.hpp"

using namespace lk::parallel::wire;

namespace {

struct nothing {};
struct one {
  int a;
};
struct with_arrays {
  std::string names[2];
  int grid[2][3];
  std::array<int, 3> triple;
};
struct inner {
  int x, y;
};
struct with_inner {
  inner first;
  int second;
  inner rest[2];
};
struct with_bit_fields {
  int three : 3;
  bool flag : 1;
};
struct no_default {
  explicit no_default(int v) : value(v) {}
  int value;
};
struct holds_no_default {
  int before;
  no_default member;
};
struct holds_reference {
  int& target;
};
struct recursive {
  std::vector<recursive> children;
};
struct sixteen {
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p;
};
struct seventeen {
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q;
};
struct many {
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v;
};
struct derived : one {
  int b;
};
struct tagged : nothing {
  int b;
};
struct const_and_function {
  const std::string name;
  std::function<int()> fn;
};

} // namespace

static_assert(count_members<nothing>() == 0);
static_assert(count_members<one>() == 1);
static_assert(count_members<with_inner>() == 3);
static_assert(count_members<with_bit_fields>() == 2);
static_assert(count_members<recursive>() == 1);
static_assert(count_members<const_and_function>() == 2);

static_assert(std::is_same_v<member_types<with_inner>, types<const inner, const int, const inner[2]>>);
static_assert(std::is_same_v<member_types<holds_reference>, types<int&>>);

TEST_CASE("an array member counts as one member") {
  CHECK(count_members<with_arrays>() == 3);
  CHECK(std::is_same_v<member_types<with_arrays>,
                       types<const std::string[2], const int[2][3], const std::array<int, 3>>>);
}

TEST_CASE("members without a default constructor and reference members are counted too") {
  CHECK(count_members<holds_no_default>() == 2);
  CHECK(count_members<holds_reference>() == 1);
}

TEST_CASE("sixteen members are counted, more are only known to be too many") {
  CHECK(count_members<sixteen>() == 16);
  CHECK(count_members<seventeen>() == more_than_max);
  CHECK(count_members<many>() == more_than_max);
}

TEST_CASE("a base class is seen, an empty one too") {
  CHECK(has_base<derived>);
  CHECK(has_base<tagged>);
  CHECK_FALSE(has_base<one>);
  CHECK_FALSE(has_base<with_inner>);
  CHECK_FALSE(has_base<recursive>);
}

TEST_CASE("all members are visited in order, and may be written through") {
  sixteen all{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  std::vector<int> seen;
  visit_members(all, [&seen](auto, auto&... members) {
    (seen.push_back(members), ...);
    (members++, ...);
  });
  CHECK(seen == std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  CHECK(all.a == 2);
  CHECK(all.p == 17);
}
