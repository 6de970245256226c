// lk-parallel | SPDX-License-Identifier: MIT
#include <sched.h>

#include <lk/parallel/config/topology.hpp>
#include <support/catch.hpp>

using namespace lk::parallel;
using config::combine_cpu_limits;

TEST_CASE("the least limit that is known counts, at least 1") {
  CHECK(combine_cpu_limits(8, 3, 16) == 3);
  CHECK(combine_cpu_limits(2, 3, 16) == 2);
  CHECK(combine_cpu_limits(8, std::nullopt, 16) == 8);
  CHECK(combine_cpu_limits(std::nullopt, 3, 16) == 3);
  CHECK(combine_cpu_limits(std::nullopt, 30, 16) == 16);
  CHECK(combine_cpu_limits(std::nullopt, std::nullopt, 16) == 16);
  CHECK(combine_cpu_limits(std::nullopt, std::nullopt, 0) == 1);
}

TEST_CASE("the affinity mask of the calling thread is respected") {
  cpu_set_t before;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  CHECK(config::affinity_cpu_count() == CPU_COUNT(&before));
  int first = 0;
  while (!CPU_ISSET(static_cast<std::size_t>(first), &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(first), &one);
  REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(config::affinity_cpu_count() == 1);
  CHECK(config::effective_cpu_count_now() == 1);
  REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
  CHECK(config::effective_cpu_count_now() >= 1);
  CHECK(config::effective_cpu_count_now() <= CPU_COUNT(&before));
}
