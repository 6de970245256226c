// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <lk/parallel/threads/chunk_loop.hpp>
#include <support/catch.hpp>
#include <threads/rendezvous.hpp>

using namespace lk::parallel;
using threads::arena;
using threads::loop_over;

TEST_CASE("every index is called once, for any number of threads") {
  const int n_threads = GENERATE(1, 2, 4);
  const std::size_t n = GENERATE(0u, 1u, 2u, 1000u);
  arena training(n_threads, 1);
  std::vector<std::atomic<int>> calls(n);
  loop_over(training, n, [&](std::size_t idx) { ++calls[idx]; });
  CHECK(std::all_of(calls.begin(), calls.end(), [](const auto& count) { return count == 1; }));
}

TEST_CASE("the lanes of a loop run at the same time and are inside a task") {
  arena training(2, 1);
  testing::rendezvous meeting(2);
  std::atomic<int> unmarked{0};
  loop_over(training, 2, [&](std::size_t) {
    unmarked += threads::inside_task() ? 0 : 1;
    meeting.meet();
  });
  CHECK(meeting.n_threads() == 2);
  CHECK(unmarked == 0);
}

TEST_CASE("one thread, and a thread inside a task, loops in order by itself") {
  arena one(1, 1), two(2, 1);
  std::vector<std::size_t> order, expected(500);
  std::iota(expected.begin(), expected.end(), std::size_t{0});
  loop_over(one, 500, [&](std::size_t idx) { order.push_back(idx); });
  CHECK(order == expected);
  order.clear();
  const threads::task_scope inside;
  loop_over(two, 500, [&](std::size_t idx) { order.push_back(idx); });
  CHECK(order == expected);
}

TEST_CASE("a loop inside a loop runs in place") {
  arena training(2, 1);
  std::atomic<int> done{0}, moved{0};
  loop_over(training, 8, [&](std::size_t) {
    const auto here = std::this_thread::get_id();
    loop_over(training, 8, [&](std::size_t) {
      ++done;
      moved += here == std::this_thread::get_id() ? 0 : 1;
    });
  });
  CHECK(done == 64);
  CHECK(moved == 0);
}

TEST_CASE("the first exception ends a loop and what has not begun is left out") {
  const int n_threads = GENERATE(1, 2, 3);
  arena training(n_threads, 1);
  std::atomic<int> calls{0};
  const auto throw_or_wait = [&](std::size_t idx) {
    ++calls;
    if (idx == 0) throw std::runtime_error("at " + std::to_string(idx));
    while (!oneapi::tbb::is_current_task_group_canceling()) std::this_thread::yield();
  };
  CHECK_THROWS_WITH(loop_over(training, 1'000'000, throw_or_wait), "at 0");
  CHECK(calls <= n_threads);
  CHECK_FALSE(threads::inside_task());
  calls = 0;
  loop_over(training, 100, [&](std::size_t) { ++calls; });
  CHECK(calls == 100);
}
