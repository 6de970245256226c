// lk-parallel | SPDX-License-Identifier: MIT
#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <lk/parallel/threads/thread_budget.hpp>
#include <support/catch.hpp>
#include <threads/rendezvous.hpp>

using namespace lk::parallel;
using threads::inside_task;
using threads::thread_budget;

TEST_CASE("oneTBB algorithms inside a budget use that many threads, all marked as inside a task") {
  const int n = GENERATE(1, 2, 3);
  thread_budget budget(n, true);
  testing::rendezvous meeting(static_cast<std::size_t>(n));
  std::atomic<int> unmarked{0}, late{0};
  std::thread::id caller;
  budget.run([&] {
    caller = std::this_thread::get_id();
    oneapi::tbb::parallel_for(0, n, [&](int) {
      unmarked += inside_task() ? 0 : 1;
      late += meeting.meet() ? 0 : 1;
    });
  });
  CHECK(caller == std::this_thread::get_id());
  CHECK(unmarked == 0);
  CHECK(late == 0);
  CHECK_FALSE(inside_task());
}

TEST_CASE("without real threads, and where the backends are left alone, there is one slot") {
  thread_budget unreal(4, false), left_alone(-1, true);
  CHECK(unreal.n_slots() == 1);
  CHECK(left_alone.n_slots() == 1);
  for (thread_budget* budget : {&unreal, &left_alone}) {
    int slots = 0;
    std::atomic<int> elsewhere{0};
    budget->run([&, here = std::this_thread::get_id()] {
      slots = oneapi::tbb::this_task_arena::max_concurrency();
      oneapi::tbb::parallel_for(0, 1000, [&](int) { elsewhere += here == std::this_thread::get_id() ? 0 : 1; });
    });
    CHECK(slots == 1);
    CHECK(elsewhere == 0);
  }
}

TEST_CASE("an exception leaves a budget usable, and a budget that rested works again") {
  thread_budget budget(2, true);
  CHECK_THROWS_WITH(budget.run([] { throw std::runtime_error("in a task"); }), "in a task");
  CHECK_FALSE(inside_task());
  budget.rest();
  int slots = 0;
  budget.run([&] { slots = oneapi::tbb::this_task_arena::max_concurrency(); });
  CHECK(slots == 2);
}

TEST_CASE("budgets of several threads do not disturb each other") {
  std::atomic<int> done{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] {
      for (int k = 0; k < 20; ++k) {
        thread_budget budget(2, true);
        budget.run([&] { oneapi::tbb::parallel_for(0, 100, [&](int) { ++done; }); });
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  CHECK(done == 6000);
}

TEST_CASE("a dropped arena leaves no mark on oneTBB's threads") {
  {
    thread_budget budget(2, true);
    testing::rendezvous meeting(2);
    budget.run([&] { oneapi::tbb::parallel_for(0, 2, [&](int) { meeting.meet(); }); });
  }
  std::atomic<int> marked{0};
  testing::rendezvous meeting(2);
  oneapi::tbb::task_arena foreign(2);
  foreign.execute([&] {
    oneapi::tbb::parallel_for(0, 2, [&](int) {
      marked += inside_task() ? 1 : 0;
      meeting.meet();
    });
  });
  CHECK(marked == 0);
}
