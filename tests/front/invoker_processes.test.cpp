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
