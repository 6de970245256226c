// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <chrono>

#include <lk/parallel/process/task_clock.hpp>

using namespace lk::parallel;
using namespace std::chrono_literals;

namespace {

/// One worker, looked at whenever so much time is said to have passed.
struct watched_worker {
  explicit watched_worker(std::chrono::milliseconds limit) : clock(limit, 1) { clock.look(now, false); }

  /// Whether the worker's task is due at the end of n looks, each `step` after the one before.
  bool is_due_after(int n, std::chrono::milliseconds step, bool stood_still = false) {
    bool due = false;
    for (int look = 0; look < n; ++look) {
      now += step;
      clock.look(now, stood_still);
      due = clock.is_due(0, status, first_live);
    }
    return due;
  }

  process::task_clock clock;
  shm::status_line status;
  std::uint64_t first_live = 0;
  process::task_clock::clock::time_point now = process::task_clock::clock::now();
};

} // namespace

TEST_CASE("a task that runs longer than its limit is due and told of once") {
  watched_worker worker(500ms);
  worker.status.attempt_started(41);
  REQUIRE(!worker.is_due_after(10, 50ms)); // the first look only learns of it
  REQUIRE(worker.is_due_after(1, 50ms));
  REQUIRE(worker.clock.is_still_at_it(0, worker.status));
  REQUIRE(worker.clock.bury(0) == 42);
  REQUIRE(worker.clock.bury(0) == 0);
}

TEST_CASE("a worker that has gone on to its next task is not at the one that was due") {
  watched_worker worker(500ms);
  worker.status.attempt_started(41);
  REQUIRE(worker.is_due_after(11, 50ms));
  worker.status.attempt_ended();
  REQUIRE(!worker.clock.is_still_at_it(0, worker.status));
  worker.status.attempt_started(42);
  REQUIRE(!worker.clock.is_still_at_it(0, worker.status));
  REQUIRE(!worker.is_due_after(10, 50ms));
}

TEST_CASE("neither an idle worker nor one that waits for its host is ever due") {
  watched_worker worker(10ms);
  REQUIRE(!worker.is_due_after(50, 10ms));
  worker.status.attempt_started(41);
  worker.status.sleeps = 1;
  REQUIRE(!worker.is_due_after(50, 10ms));
  REQUIRE(worker.clock.bury(0) == 0);
}

TEST_CASE("a number of sleeping threads that no worker can have is not believed") {
  watched_worker worker(10ms);
  worker.status.attempt_started(41);
  worker.status.sleeps = 0xdeadbeef;
  REQUIRE(worker.is_due_after(3, 10ms));
}

TEST_CASE("every task has the whole limit for itself") {
  watched_worker worker(500ms);
  for (std::uint64_t ticket = 0; ticket < 50; ++ticket) {
    worker.status.attempt_started(ticket);
    REQUIRE(!worker.is_due_after(5, 50ms));
  }
}

TEST_CASE("time in which the zygote stood still does not count") {
  watched_worker worker(500ms);
  worker.status.attempt_started(41);
  REQUIRE(!worker.is_due_after(1, 50ms));
  REQUIRE(!worker.is_due_after(10, 900ms, true)); // Ctrl-Z and fg: it has seen SIGCONT
  REQUIRE(!worker.is_due_after(10, 2000ms)); // a machine that was suspended: nothing runs for so long between looks
  REQUIRE(worker.is_due_after(10, 50ms));
}

TEST_CASE("a task that nobody wants any more has a grace, limit or not") {
  watched_worker worker(0ms);
  REQUIRE(worker.clock.poll_timeout() == -1);
  worker.status.attempt_started(41);
  REQUIRE(!worker.is_due_after(100, 100ms));
  worker.first_live = 42;
  worker.clock.expect_abandoned();
  REQUIRE(worker.clock.poll_timeout() == 10);
  REQUIRE(!worker.is_due_after(9, 10ms));
  REQUIRE(worker.clock.poll_timeout() == 10);
  REQUIRE(worker.is_due_after(1, 10ms));
  REQUIRE(worker.clock.bury(0) == 0); // no limit was outrun
}

TEST_CASE("the clock asks to be looked at as long as something may become due") {
  REQUIRE(process::task_clock(0ms, 1).poll_timeout() == -1);
  REQUIRE(process::task_clock(1ms, 1).poll_timeout() == 1);
  REQUIRE(process::task_clock(500ms, 1).poll_timeout() == 50);
  REQUIRE(process::task_clock(24h, 1).poll_timeout() == 100);
  watched_worker worker(0ms);
  worker.first_live = 42;
  worker.clock.expect_abandoned();
  REQUIRE(!worker.is_due_after(1, 10ms)); // nothing of it runs
  REQUIRE(worker.clock.poll_timeout() == -1);
}
