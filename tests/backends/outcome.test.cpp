// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <memory>
#include <string>

#include <lk/parallel/backends/outcome.hpp>

using namespace lk::parallel;

TEST_CASE("an outcome holds a value or an error") {
  outcome<std::string> good(std::string("yes"));
  REQUIRE(good.has_value());
  REQUIRE(good.value() == "yes");
  REQUIRE(!good.exception());
  REQUIRE_THROWS_AS(good.error(), usage_error);

  const auto bad = outcome<std::string>::failed(
      std::make_exception_ptr(task_error(7, "std::runtime_error", "no", 1, task_stage::call)));
  REQUIRE(!bad);
  REQUIRE_THROWS_AS(bad.value(), task_error);
  REQUIRE(std::string(bad.error().what()).find("no") != std::string::npos);
  REQUIRE(dynamic_cast<const task_error&>(bad.error()).task == 7);
}

TEST_CASE("an outcome of a function that returns nothing has a value all the same") {
  REQUIRE(outcome<void>(std::monostate{}).has_value());
}

TEST_CASE("a value that can only be moved comes out of an outcome") {
  outcome<std::unique_ptr<int>> good(std::make_unique<int>(3));
  const auto taken = std::move(good).value();
  REQUIRE(*taken == 3);
}
