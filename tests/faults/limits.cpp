// lk-parallel | SPDX-License-Identifier: MIT
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include <lk/parallel/errors.hpp>

#include "faults/fault.hpp"
#include "faults/pool.hpp"

// B1 to B5: poison tasks, retries, time limits.

using namespace lk::parallel;
using namespace lk::parallel::faults;
using std::chrono::milliseconds;

namespace {

using shared_int = shared<std::atomic<int>>;
template <std::size_t n> using shared_counts = shared<std::array<std::atomic<int>, n>>;

constexpr milliseconds short_limit{100};

invoker_options processes(int n_jobs, int retries = 0, milliseconds task_timeout = milliseconds{0}) {
  return {.n_jobs = n_jobs, .where = execution::processes, .retries = retries, .task_timeout = task_timeout};
}

void count(std::atomic<int>& counter) { ++counter; }

[[noreturn]] void pause_for_ever() {
  while (true) ::pause();
}

[[noreturn]] void spin_for_ever() {
  static volatile unsigned turns = 0;
  while (true) turns = turns + 1;
}

[[noreturn]] void block_signals_for_ever() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  pause_for_ever();
}

[[noreturn]] void stop_for_ever() {
  while (true) ::raise(SIGSTOP);
}

/// Number of the task that this worker runs, for what is done at its fault points.
std::int64_t task_here = -1;

void expect_timeout(const error& found, std::size_t task, milliseconds limit) {
  const auto* const late = dynamic_cast<const task_timeout*>(&found);
  expect(late != nullptr, "the error is task_timeout: " + std::string(found.what()));
  expect(late->task == task && late->limit == limit, "task_timeout names the task and the limit");
}

} // namespace

// --- B1, B2: poison

FAULT("B1",
      "with retries = 2 a task that always crashes is tried exactly three times, then worker_lost tells so; every "
      "other task runs once, unharmed") {
  constexpr std::int64_t n = 20, poison = 5;
  shared_counts<n> n_runs;
  auto workers = make_pool(
      [&](std::int64_t x, task_context& context) {
        count((*n_runs)[static_cast<std::size_t>(x)]);
        expect(x != poison || context.attempt() == (*n_runs)[poison], "a task knows its attempt");
        if (x == poison) ::raise(SIGKILL);
        return answer(x);
      },
      processes(2, 2));
  std::int64_t i = 0;
  for (const auto& outcome : workers.map_outcomes(arguments(n))) {
    if (i == poison) {
      const auto& lost = dynamic_cast<const worker_lost&>(outcome.error());
      expect(lost.task == poison && lost.attempts == 3 && lost.code == SIGKILL, lost.what());
    } else {
      expect(outcome.value() == answer(i), "every other task is unharmed");
    }
    expect((*n_runs)[static_cast<std::size_t>(i)] == (i == poison ? 3 : 1), "tasks run as often as they should");
    ++i;
  }
  expect(i == n, "the map goes on to its end");
}

FAULT("B1-never-twice", "with retries = 0 no task runs twice, whatever happens to its worker") {
  constexpr std::int64_t n = 40;
  shared_counts<n> n_runs;
  auto workers = make_pool(
      [&](std::int64_t x, task_context&) {
        count((*n_runs)[static_cast<std::size_t>(x)]);
        if (x % 8 == 5) ::raise(SIGSEGV);
        if (x % 8 == 7) ::_exit(0);
        return answer(x);
      },
      processes(2));
  std::int64_t i = 0;
  for (const auto& outcome : workers.map_outcomes(arguments(n))) {
    expect(outcome.has_value() == (i % 8 != 5 && i % 8 != 7), "a crash is an error and nothing else is");
    ++i;
  }
  for (const auto& runs : *n_runs) expect(runs == 1, "each task runs exactly once");
}

namespace {

constexpr std::int64_t is_poison(std::int64_t x) { return x % 200 == 100; }

/// A thousand tasks of which five fail with an Error that names them.
template <class Error> void expect_five_errors(pool& workers) {
  std::int64_t i = 0, n_errors = 0;
  for (const auto& outcome : workers.map_outcomes(arguments(1000))) {
    if (is_poison(i)) {
      expect(dynamic_cast<const Error&>(outcome.error()).task == static_cast<std::size_t>(i), outcome.error().what());
      ++n_errors;
    } else {
      expect(outcome.value() == answer(i), "the values are right and in order");
    }
    ++i;
  }
  expect(i == 1000 && n_errors == 5, "there are 995 values and 5 errors");
}

} // namespace

FAULT("B2", "five tasks that crash among a thousand: map_outcomes gives 995 values and 5 errors, in order") {
  auto workers = make_pool(
      [](std::int64_t x, task_context&) {
        if (is_poison(x)) ::raise(SIGKILL);
        return answer(x);
      },
      processes(2));
  expect_five_errors<worker_lost>(workers);
}

FAULT("B2-throwing", "five tasks that throw among a thousand: the same, wherever the tasks run") {
  for (const auto where : {execution::sequential, execution::threads, execution::processes}) {
    auto workers = make_pool(
        [](std::int64_t x, task_context&) {
          if (is_poison(x)) throw std::runtime_error("poison");
          return answer(x);
        },
        {.n_jobs = 2, .where = where});
    expect_five_errors<task_error>(workers);
  }
}

// --- B3: tasks without an end

namespace {

void expect_only_stuck_one_times_out(void (*stick)()) {
  constexpr std::int64_t n = 20, stuck = 5;
  shared_counts<n> n_runs;
  shared<std::atomic<std::int64_t>> begun_ns;
  const auto now = [] { return std::chrono::steady_clock::now().time_since_epoch(); };
  auto workers = make_pool(
      [&](std::int64_t x, task_context&) {
        count((*n_runs)[static_cast<std::size_t>(x)]);
        if (x == stuck) {
          *begun_ns = std::chrono::nanoseconds(now()).count();
          stick();
        }
        return answer(x);
      },
      processes(2, 0, short_limit));
  std::int64_t i = 0;
  for (const auto& outcome : workers.map_outcomes(arguments(n))) {
    if (i == stuck) {
      measured("from the limit to task_timeout", now() - std::chrono::nanoseconds(*begun_ns) - short_limit);
      expect_timeout(outcome.error(), stuck, short_limit);
    } else {
      expect(outcome.value() == answer(i), "the others go on");
    }
    ++i;
  }
  expect(i == n, "the map comes to its end");
  for (const auto& runs : *n_runs) expect(runs == 1, "each task runs once");
  std::int64_t n_after = 0;
  for (const std::string& result : workers.map(arguments(5)))
    expect(result == answer(n_after++), "the invoker lives on");
  expect(n_after == 5, "the invoker lives on");
  wait_until([] { return worker_pids().size() == 2; }, "the worker is replaced");
}

} // namespace

FAULT("B3", "a task that sleeps for ever is ended at its limit, its worker replaced, and the others go on") {
  expect_only_stuck_one_times_out([] { pause_for_ever(); });
}

FAULT("B3-spinning", "the same for a task that spins") {
  expect_only_stuck_one_times_out([] { spin_for_ever(); });
}

FAULT("B3-signals-blocked", "the same for a task that has blocked all signals") {
  expect_only_stuck_one_times_out([] { block_signals_for_ever(); });
}

FAULT("B3-stopped", "the same for a task whose process was stopped: the limit is not kept by the worker") {
  expect_only_stuck_one_times_out([] { stop_for_ever(); });
}

FAULT("B3-retried", "a task that was ended at its limit may be tried again, and its attempts are counted") {
  shared_int n_runs;
  auto workers = make_pool(
      [&](std::int64_t x, task_context& context) {
        if (x == 3) {
          ++*n_runs;
          if (context.attempt() == 1) pause_for_ever();
        }
        return answer(x);
      },
      processes(2, 1, short_limit));
  std::int64_t i = 0;
  for (const std::string& result : workers.map(arguments(10))) expect(result == answer(i++), "the results are right");
  expect(i == 10 && *n_runs == 2, "the second attempt gave the result");
}

// --- B4: the limit expires as the result arrives

namespace {

/// What became of n tasks: how many were timed out and how many gave their value. Each is one of the two.
struct tally {
  std::int64_t n_values = 0, n_timeouts = 0;
};

template <std::size_t n> tally run_each_once(pool& workers, const shared_counts<n>& n_runs, milliseconds limit) {
  tally found;
  std::int64_t i = 0;
  for (const auto& outcome : workers.map_outcomes(arguments(static_cast<std::int64_t>(n)))) {
    if (outcome.has_value()) {
      expect(outcome.value() == answer(i), "the values are right");
      ++found.n_values;
    } else {
      expect_timeout(outcome.error(), static_cast<std::size_t>(i), limit);
      ++found.n_timeouts;
    }
    ++i;
  }
  expect(i == static_cast<std::int64_t>(n), "each task has one outcome");
  for (const auto& runs : *n_runs) expect(runs == 1, "each task runs exactly once");
  return found;
}

} // namespace

FAULT("B4", "the result is complete just before the worker is ended for it: the result is delivered, no timeout and no "
            "second attempt; the next tasks run once") {
  constexpr std::size_t n = 6;
  for (const int retries : {0, 1}) {
    shared_counts<n> n_runs;
    shared_int about_to_kill;
    on_fault_point([&](std::string_view point) {
      if (point == "about_to_kill") *about_to_kill = 1;
      if (point == "task_answered" && task_here == 2) pause_for_ever(); // the answer is in the ring; not yet said so
      return false;
    });
    auto workers = make_pool(
        [&](std::int64_t x, task_context&) {
          task_here = x;
          count((*n_runs)[static_cast<std::size_t>(x)]);
          return answer(x);
        },
        processes(1, retries, short_limit));
    const tally found = run_each_once(workers, n_runs, short_limit);
    expect(found.n_timeouts == 0, "the result counts, not the limit");
    expect(*about_to_kill == 1, "the zygote found the task overdue");
  }
}

FAULT("B4-late-result", "the result arrives after the decision to end its worker: it is delivered, no timeout, and the "
                        "next task, which that worker has begun meanwhile, is unharmed") {
  constexpr std::size_t n = 6;
  shared_counts<n> n_runs;
  shared_int about_to_kill, next_began, deed_done;
  on_fault_point([&](std::string_view point) {
    if (point == "about_to_kill" && about_to_kill->exchange(1) == 0) {
      wait_until([&] { return *next_began == 1; }, "the worker has begun the next task");
      *deed_done = 1;
    }
    return false;
  });
  auto workers = make_pool(
      [&](std::int64_t x, task_context&) {
        count((*n_runs)[static_cast<std::size_t>(x)]);
        if (x == 0) wait_until([&] { return *about_to_kill == 1; }, "the zygote decides to end this task");
        if (x == 1) {
          *next_began = 1;
          wait_until([&] { return *deed_done == 1; }, "the zygote goes on");
          for (int turn = 0; turn < 20; ++turn) ::poll(nullptr, 0, 1); // time to be ended in, where that is the bug
        }
        return answer(x);
      },
      processes(1, 0, short_limit));
  const tally found = run_each_once(workers, n_runs, short_limit);
  expect(found.n_timeouts == 0, "the result counts, not the limit");
}

FAULT("B4-between", "the result arrives after the decision to end its worker, which is between two tasks by then: the "
                    "result is delivered and that worker lives on") {
  constexpr std::size_t n = 6;
  shared_counts<n> n_runs;
  shared_int about_to_kill, idle, n_begun;
  on_fault_point([&](std::string_view point) {
    if (point == "worker_begins") ++*n_begun;
    if (point == "about_to_kill" && about_to_kill->exchange(1) == 0)
      wait_until([&] { return *idle == 1; }, "the worker waits for tasks");
    if (point == "waiting_for_task" && *about_to_kill == 1) *idle = 1;
    return false;
  });
  auto workers = make_pool(
      [&](std::int64_t x, task_context&) {
        if (x < static_cast<std::int64_t>(n)) count((*n_runs)[static_cast<std::size_t>(x)]);
        if (x == static_cast<std::int64_t>(n) - 1)
          wait_until([&] { return *about_to_kill == 1; }, "the zygote decides to end this task");
        return answer(x);
      },
      processes(1, 0, short_limit));
  const tally found = run_each_once(workers, n_runs, short_limit);
  expect(found.n_timeouts == 0, "the result counts, not the limit");
  wait_until([&] { return *idle == 1; }, "the worker waits for tasks");
  expect_healthy(workers, 2 * static_cast<std::int64_t>(n));
  expect(*n_begun == 1, "no other worker was needed");
}

FAULT("B4-random", "tasks that take about as long as their limit: each gives a value or is timed out, never both, and "
                   "runs once") {
  constexpr milliseconds limit{10};
  constexpr std::size_t n = 24;
  shared_counts<n> n_runs;
  auto workers = make_pool(
      [&](std::int64_t x, task_context&) {
        count((*n_runs)[static_cast<std::size_t>(x)]);
        const auto end = std::chrono::steady_clock::now() + limit + std::chrono::microseconds(500) * (x % 8);
        while (std::chrono::steady_clock::now() < end) {
        }
        return answer(x);
      },
      processes(2, 0, limit));
  run_each_once(workers, n_runs, limit);
}

// --- B5: the limit while the host is away

FAULT("B5",
      "the consumer stays in its loop body for ten limits: good results are intact, those of workers that wait for "
      "room as well, and only the stuck task is timed out") {
  constexpr std::int64_t n = 12, stuck = 1;
  constexpr milliseconds limit{250}; // a good task needs some milliseconds of a CPU, which a busy machine may keep back
  const auto middling_answer = [](std::int64_t x) { return std::string(2'000'000, static_cast<char>('a' + x)); };
  auto workers = make_pool(
      [&](std::int64_t x, task_context&) {
        if (x == stuck) pause_for_ever();
        return middling_answer(x);
      },
      processes(2, 0, limit));
  std::int64_t i = 0;
  for (const auto& outcome : workers.map_outcomes(arguments(n))) {
    if (i == 0) ::poll(nullptr, 0, 10 * static_cast<int>(limit.count())); // that time passes is what it is about
    if (i == stuck)
      expect_timeout(outcome.error(), stuck, limit);
    else
      expect(outcome.value() == middling_answer(i), "good results are intact");
    ++i;
  }
  expect(i == n, "all outcomes come");
}
