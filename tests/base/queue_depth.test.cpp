// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <cstddef>
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

TEST_CASE("the first tasks of a worker, which is cold, do not count once others are measured") {
  queue_depth depth;
  depth.learn(2, 100'000); // 50 microseconds each
  REQUIRE(depth.get() < 100);
  REQUIRE(!depth.is_of_short_tasks());
  depth.learn(30, 600);
  REQUIRE(depth.get() == queue_depth::most);
  REQUIRE(depth.is_of_short_tasks());
}

TEST_CASE("tasks are short where one worker keeps up with the host, and not before that is known") {
  queue_depth depth;
  REQUIRE(!depth.is_of_short_tasks());
  depth.learn(1000, 20'000); // 20 ns each
  REQUIRE(depth.is_of_short_tasks());
  for (int i = 0; i < 20; ++i) depth.learn(1000, 100'000);
  REQUIRE(!depth.is_of_short_tasks());
}

TEST_CASE("queues are longer while many tasks are still to come, and shorten towards the end") {
  queue_depth depth;
  depth.learn(100, 10'000'000); // a tenth of a millisecond each
  REQUIRE(depth.get() == 16);
  REQUIRE(depth.get(100'000) == 64);
  REQUIRE(depth.get(100) == 25);
  REQUIRE(depth.get(0) == 4);
}

TEST_CASE("short tasks are queued in full to the very end") {
  queue_depth depth;
  depth.learn(1000, 10'000);
  REQUIRE(depth.get(100'000) == queue_depth::most);
  REQUIRE(depth.get(0) == queue_depth::most);
}

TEST_CASE("no claim of a worker about its speed takes the depth out of its bounds") {
  queue_depth depth;
  for (const std::uint64_t tasks : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX})
    for (const std::uint64_t time : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX}) {
      depth.learn(tasks, time);
      for (const std::size_t got : {depth.get(), depth.get(0), depth.get(SIZE_MAX)}) {
        REQUIRE(got >= queue_depth::least);
        REQUIRE(got <= queue_depth::most);
      }
    }
}
