// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <utility>
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

TEST_CASE("a reorder window destroys what waits in it and nothing else") {
  const auto counted = std::make_shared<int>(0);
  {
    reorder_window<std::shared_ptr<int>> window;
    for (const std::size_t index : {0u, 1u, 5u, 40u, 3u}) window.put(index, counted); // 40: it grows
    REQUIRE(counted.use_count() == 1 + 5);
    window.drop_next();
    REQUIRE(counted.use_count() == 1 + 4);
  }
  REQUIRE(counted.use_count() == 1);
}

TEST_CASE("a reorder window that could not make an element has room for it still") {
  struct reluctant {
    explicit reluctant(std::shared_ptr<int> what) : held(std::move(what)) {
      if (!held) throw std::invalid_argument("nothing to hold");
    }
    std::shared_ptr<int> held;
  };
  const auto counted = std::make_shared<int>(0);
  {
    reorder_window<reluctant> window;
    for (std::size_t index = 0; index < 1000; ++index) {
      REQUIRE_THROWS_AS(window.put(index, nullptr), std::invalid_argument);
      window.put(index, counted);
    }
    REQUIRE(counted.use_count() == 1 + 1000);
    for (std::size_t index = 0; index < 1000; ++index, window.drop_next()) REQUIRE(window.next().held == counted);
    REQUIRE(!window.has_next());
  }
  REQUIRE(counted.use_count() == 1);
}

TEST_CASE("an element of a reorder window stays where it is while others come") {
  reorder_window<int> window;
  window.put(0, 7);
  const int* const first = &window.next();
  for (std::size_t index = 1; index < 100'000; index += 3) window.put(index, 8);
  REQUIRE(&window.next() == first);
  REQUIRE(*first == 7);
}
