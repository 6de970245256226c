// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/ranges.hpp"
#include "support/sanitizers.hpp"

#include <cstddef>
#include <ranges>
#include <vector>

#include <lk/parallel.hpp>

// What is true of worker processes only and is no fault; tests/faults has those.

using namespace lk::parallel;
using lk::parallel::testing::count;

TEST_CASE("the model is not copied: an idle worker owns less than two megabytes of it") {
  const std::vector<char> large(std::size_t{256} << 20, 'm');
  invoker inv{large, [](const std::vector<char>& m, std::size_t at) { return m[at]; }, {.n_jobs = 2}};
  auto stats = inv.stats();
  for (int round = 0; round < 1000 && stats.each.size() < 2; ++round) { // one may do all before the other is forked
    REQUIRE(count(inv.map(std::views::iota(std::size_t{0}, std::size_t{10'000}))) == 10'000);
    stats = inv.stats();
  }
  REQUIRE(stats.each.size() == 2);
  const std::size_t shadow = testing::under_sanitizer ? std::size_t{8} << 20 : 0; // its own book-keeping
  for (const auto& worker : stats.each) {
    CHECK(worker.private_dirty_bytes > 0);
    CHECK(worker.private_dirty_bytes < (std::size_t{2} << 20) + shadow);
  }
}

TEST_CASE("a worker gives back the memory of a long argument when its task is over") {
  struct measure {
    std::size_t operator()(const int&, const std::vector<char>& bytes) const { return bytes.size(); }
    std::size_t operator()(const int&, std::size_t n) const { return n; }
  };
  const int model = 0;
  invoker inv{model, measure{}, {.n_jobs = 1, .where = execution::processes}};
  const std::size_t long_bytes = std::size_t{64} << 20;
  const std::vector<std::vector<char>> long_argument(1, std::vector<char>(long_bytes));
  for (const std::size_t n : inv.map(long_argument)) REQUIRE(n == long_bytes);
  REQUIRE(count(inv.map(std::views::iota(std::size_t{0}, std::size_t{1000}))) == 1000);
  const auto stats = inv.stats();
  REQUIRE(stats.each.size() == 1);
  if (!testing::under_sanitizer) // which keeps what was freed for a while
    REQUIRE(stats.each[0].private_dirty_bytes < long_bytes / 2);
}

namespace {

struct no_default {
  explicit no_default(int x) : value(x) {}
  int value;
};

} // namespace

TEST_CASE("short arguments and results need no default constructor") {
  const int model = 2;
  invoker inv{model, [](const int& m, no_default x) { return no_default(m * x.value); }, {.n_jobs = 2}};
  const auto arguments = std::views::iota(0, 10'000) | std::views::transform([](int x) { return no_default(x); });
  int i = 0;
  for (const no_default& result : inv.map(arguments)) REQUIRE(result.value == 2 * i++);
  REQUIRE(i == 10'000);
}
