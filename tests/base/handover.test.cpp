// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <lk/parallel/base/handover.hpp>

using lk::parallel::base::handover;

namespace {

/// Cannot be made of three.
struct brittle {
  explicit brittle(int n) : value(n) {
    if (n == 3) throw std::runtime_error("three");
  }
  int value;
};

} // namespace

TEST_CASE("what one thread puts in comes out in another, all of it and in order") {
  constexpr int n = 100'000;
  handover<std::unique_ptr<int>> queue;
  std::jthread producer([&] {
    for (int i = 0; i < n; ++i) queue.put(std::make_unique<int>(i));
  });
  int next = 0;
  bool in_order = true;
  while (next < n) queue.take([&](std::unique_ptr<int>&& one) { in_order = in_order && *one == next++; });
  REQUIRE(in_order);
  REQUIRE(queue.n_taken() == n);
  REQUIRE(queue.n_put() == n);
}

TEST_CASE("an element that cannot be made is not put in") {
  handover<brittle> queue;
  std::vector<int> taken;
  REQUIRE(queue.put(2) == 1);
  REQUIRE_THROWS_AS(queue.put(3), std::runtime_error);
  REQUIRE(queue.put(4) == 2);
  queue.take([&](brittle&& one) { taken.push_back(one.value); });
  REQUIRE(taken == std::vector<int>{2, 4});
}

TEST_CASE("an element whose taker throws stays, and so do those behind it") {
  handover<int> queue;
  for (int i = 0; i < 200; ++i) queue.put(i);
  int n_seen = 0;
  REQUIRE_THROWS_AS(queue.take([&](int&& one) {
    if (one == 100) throw std::runtime_error("enough");
    ++n_seen;
  }),
                    std::runtime_error);
  REQUIRE(n_seen == 100);
  REQUIRE(queue.n_taken() == 100);
  std::vector<int> rest;
  queue.take([&](int&& one) { rest.push_back(one); });
  REQUIRE(rest.size() == 100);
  REQUIRE(rest.front() == 100);
}

TEST_CASE("what nobody takes is destroyed with the queue, and what is taken before") {
  const auto alive = std::make_shared<int>(0);
  for (const std::size_t n : {1U, 63U, 64U, 65U, 128U, 1000U}) {
    handover<std::shared_ptr<int>> queue;
    for (std::size_t i = 0; i < n; ++i) queue.put(alive);
    REQUIRE(static_cast<std::size_t>(alive.use_count()) == n + 1);
    std::size_t n_left = n / 2; // some stay
    try {
      queue.take([&](std::shared_ptr<int>&&) {
        if (n_left-- == 0) throw std::runtime_error("enough");
      });
    } catch (const std::runtime_error&) {
    }
    REQUIRE(static_cast<std::size_t>(alive.use_count()) == n - n / 2 + 1);
  }
  REQUIRE(alive.use_count() == 1);
}
