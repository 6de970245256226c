// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include <lk/parallel/backends/reorder_window.hpp>

using lk::parallel::backends::reorder_window;

TEST_CASE("a reorder window gives out in order what comes in any order") {
  std::mt19937 random(5);
  for (const std::size_t size : {1u, 7u, 16u, 17u, 1000u}) {
    reorder_window<std::unique_ptr<std::size_t>> window;
    std::size_t expected = 0;
    for (std::size_t block = 0; block < 5; ++block) {
      std::vector<std::size_t> order(size);
      std::iota(order.begin(), order.end(), block * size);
      std::shuffle(order.begin(), order.end(), random);
      for (const std::size_t index : order) {
        window.put(index, std::make_unique<std::size_t>(index));
        while (window.has_next()) {
          REQUIRE(*window.next() == expected++);
          window.drop_next();
        }
      }
    }
    REQUIRE(expected == 5 * size);
    REQUIRE(!window.has_next());
  }
}
