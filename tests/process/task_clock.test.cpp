// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <chrono>

#include <lk/parallel/process/task_clock.hpp>

using namespace lk::parallel;
using namespace std::chrono_literals;

namespace {

/// Looks until the task is found overdue or so many looks have passed.
bool found_overdue(process::task_clock& clock, const shm::status_line& status, int looks) {
  for (int look = 0; look < looks; ++look) {
    const auto until = base::deadline::after(1ms);
    while (!until.passed()) {
    }
    clock.look();
    if (clock.is_overdue(0, status)) return true;
  }
  return false;
}

} // namespace

TEST_CASE("a task that runs longer than its limit is found overdue once") {
  process::task_clock clock(2ms, 1);
  shm::status_line status;
  status.attempt_started(41);
  REQUIRE(found_overdue(clock, status, 1000));
  REQUIRE(!found_overdue(clock, status, 10));
  REQUIRE(clock.bury(0) == 42);
  REQUIRE(clock.bury(0) == 0);
}

TEST_CASE("neither an idle worker nor one that waits for its host is ever overdue") {
  process::task_clock clock(1ms, 1);
  shm::status_line status;
  REQUIRE(!found_overdue(clock, status, 20));
  status.attempt_started(41);
  status.sleeps = 1;
  REQUIRE(!found_overdue(clock, status, 20));
  REQUIRE(clock.bury(0) == 0);
}

TEST_CASE("every task has the whole limit for itself") {
  process::task_clock clock(1h, 1);
  shm::status_line status;
  for (std::uint64_t ticket = 0; ticket < 50; ++ticket) {
    status.attempt_started(ticket);
    REQUIRE(!found_overdue(clock, status, 2));
  }
}

TEST_CASE("without a limit the clock never asks to be looked at") {
  REQUIRE(process::task_clock(0ms, 1).poll_timeout() == -1);
  REQUIRE(process::task_clock(1ms, 1).poll_timeout() == 1);
  REQUIRE(process::task_clock(500ms, 1).poll_timeout() == 50);
  REQUIRE(process::task_clock(24h, 1).poll_timeout() == 100);
}
