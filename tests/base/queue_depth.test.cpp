// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <cstdint>

#include <lk/parallel/base/queue_depth.hpp>

using lk::parallel::base::queue_depth;

TEST_CASE("many small tasks are queued ahead and few large ones") {
  queue_depth depth;
  REQUIRE(depth.get() == queue_depth::least);
  depth.learn(1000, 10'000); // 10 ns each
  REQUIRE(depth.get() == queue_depth::most);
  for (int i = 0; i < 60; ++i) depth.learn(1, 50'000'000); // 50 ms each
  REQUIRE(depth.get() == queue_depth::least);
}

TEST_CASE("no claim of a worker about its speed takes the depth out of its bounds") {
  queue_depth depth;
  for (const std::uint64_t tasks : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX})
    for (const std::uint64_t time : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX}) {
      depth.learn(tasks, time);
      REQUIRE(depth.get() >= queue_depth::least);
      REQUIRE(depth.get() <= queue_depth::most);
    }
}
