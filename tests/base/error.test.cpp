// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <chrono>
#include <type_traits>

#include <lk/parallel/errors.hpp>

using namespace lk::parallel;

TEST_CASE("every error is a lk::parallel::error and keeps its facts") {
  const config_error config("LK_NUM_PROCS", "4x", "give a whole number");
  REQUIRE(config.variable == "LK_NUM_PROCS");
  REQUIRE(config.text == "4x");
  REQUIRE_THAT(config.what(), testing::contains("LK_NUM_PROCS") && testing::contains("4x"));

  const task_error task(3, "std::out_of_range", "no such item", 1, task_stage::call);
  REQUIRE_THAT(task.what(), testing::contains("task 3") && testing::contains("no such item") &&
                                testing::contains("worker 1") && testing::contains("running the function"));

  STATIC_REQUIRE(std::is_base_of_v<error, worker_lost>);
  STATIC_REQUIRE(std::is_base_of_v<error, resource_error>);
  STATIC_REQUIRE(std::is_base_of_v<error, wire_error>);
  STATIC_REQUIRE(std::is_base_of_v<error, usage_error>);
  STATIC_REQUIRE(std::is_base_of_v<error, cancelled>);
}
