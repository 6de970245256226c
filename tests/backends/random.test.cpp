// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <cstdint>
#include <random>
#include <set>

#include <lk/parallel/backends/random.hpp>
#include <lk/parallel/backends/task_context.hpp>

using namespace lk::parallel;

static_assert(std::uniform_random_bit_generator<task_rng>); // here, since <random> costs every user

TEST_CASE("the random stream of a task is the same on every machine") {
  // xoshiro256** seeded by four outputs of SplitMix64 from 0; the first of those is the published e220a8397b1dcdaf.
  task_rng rng(0);
  REQUIRE(rng() == 0x99ec5f36cb75f2b4);
  REQUIRE(rng() == 0xbf6e1f784956452a);
  REQUIRE(rng() == 0x1a5f849d4933e6e0);
}

TEST_CASE("seeds of tasks differ between indices and between roots") {
  std::set<std::uint64_t> seeds;
  for (std::uint64_t root = 0; root < 100; ++root)
    for (std::uint64_t index = 0; index < 1000; ++index) seeds.insert(task_rng::seed_of(root, index));
  REQUIRE(seeds.size() == 100'000);
}

TEST_CASE("a task's context tells what the task is") {
  std::atomic<std::uint64_t> first_live{0};
  task_context context(12, 34, 2, 1, {&first_live, 5});
  REQUIRE(context.index() == 12);
  REQUIRE(context.seed() == task_rng::seed_of(34, 12));
  REQUIRE(context.attempt() == 2);
  REQUIRE(context.worker() == 1);
  REQUIRE(context.rng()() == task_rng(context.seed())());
  REQUIRE(!context.stop_requested());
  first_live = 6;
  REQUIRE(context.stop_requested());
}
