// lk-parallel | SPDX-License-Identifier: MIT
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>

#include <support/catch.hpp>
#include <support/in_child.hpp>

using namespace lk::parallel::testing;

TEST_CASE("a child's exit status comes back as its callable returned it") {
  REQUIRE(in_child([] { return 0; }) == exited(0));
  REQUIRE(in_child([] { return 3; }) == exited(3));
}

TEST_CASE("an exception that leaves the callable ends the child with a status of its own") {
  REQUIRE(in_child([]() -> int { throw std::runtime_error("thrown on purpose by a test"); }) == exited(child_threw));
}

TEST_CASE("a child that dies of a signal is told from one that exits") {
  REQUIRE(in_child([] { return ::raise(SIGKILL); }) == killed(SIGKILL));
  REQUIRE(in_child([] { return ::raise(SIGTERM); }) == killed(SIGTERM));
}

TEST_CASE("a child that hangs is killed at its deadline, with its group") {
  const auto hang = []() -> int {
    if (::fork() < 0) return 1;
    while (true) ::pause();
  };
  REQUIRE(in_child(hang, std::chrono::seconds{1}).timed_out);
}
