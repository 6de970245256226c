// lk-parallel | SPDX-License-Identifier: MIT
#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include <oneapi/tbb/parallel_for.h>

#include <lk/parallel/threads/arena.hpp>
#include <support/catch.hpp>
#include <threads/rendezvous.hpp>

using namespace lk::parallel;
using threads::arena;
using threads::inside_task;

TEST_CASE("work runs on one owner thread, inside an arena of the given size") {
  arena training(3, 1);
  std::thread::id first, second;
  int slots = 0;
  training.run([&] {
    first = std::this_thread::get_id();
    slots = oneapi::tbb::this_task_arena::max_concurrency();
  });
  training.run([&] { second = std::this_thread::get_id(); });
  CHECK(first == second);
  CHECK(first != std::this_thread::get_id());
  CHECK(slots == 3);
}

TEST_CASE("an arena has as many threads as slots, also where there are fewer CPUs") {
  const int n = GENERATE(1, 2, 5);
  arena training(n, 1);
  testing::rendezvous meeting(static_cast<std::size_t>(n));
  std::atomic<int> late{0};
  training.run([&] { oneapi::tbb::parallel_for(0, n, [&](int) { late += meeting.meet() ? 0 : 1; }); });
  CHECK(late == 0);
  CHECK(meeting.n_threads() == static_cast<std::size_t>(n));
}

TEST_CASE("an exception reaches the caller and leaves the arena usable") {
  arena training(2, 1);
  CHECK_THROWS_WITH(training.run([] { throw std::runtime_error("in the arena"); }), "in the arena");
  int done = 0;
  training.run([&] { done = 1; });
  CHECK(done == 1);
}

TEST_CASE("callers take turns") {
  arena training(2, 1);
  std::atomic<int> at_work{0}, most{0}, done{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int k = 0; k < 50; ++k) {
        training.run([&] {
          most = std::max(most.load(), ++at_work);
          --at_work;
          ++done;
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(done == 200);
  CHECK(most == 1);
}

TEST_CASE("work that hands over more work from inside runs it in place") {
  arena training(2, 1);
  bool same_thread = false;
  training.run([&] {
    const auto outer = std::this_thread::get_id();
    training.run([&] { same_thread = outer == std::this_thread::get_id(); });
  });
  CHECK(same_thread);
  const threads::task_scope inside;
  bool here = false;
  training.run([&, caller = std::this_thread::get_id()] { here = caller == std::this_thread::get_id(); });
  CHECK(here);
}

TEST_CASE("the threads that help are marked as inside a task, the owner between its chunks is not") {
  arena training(2, 1);
  std::atomic<bool> owner_marked{false}, helper_marked{false};
  testing::rendezvous meeting(2);
  training.run([&] {
    oneapi::tbb::parallel_for(0, 2, [&](int) {
      (training.on_owner() ? owner_marked : helper_marked) = inside_task();
      meeting.meet();
    });
  });
  CHECK(helper_marked);
  CHECK_FALSE(owner_marked);
}

TEST_CASE("an arena that is closed or let go of starts afresh") {
  arena training(2, 1);
  bool on_owner = false;
  training.let_go([&] { on_owner = true; });
  CHECK_FALSE(on_owner); // no owner yet
  training.run([] {});
  {
    const auto closed = training.try_to_close();
    REQUIRE(closed.owns_lock());
    training.let_go([&] { on_owner = training.on_owner(); });
    CHECK(on_owner);
  }
  int slots = 0;
  training.run([&] { slots = oneapi::tbb::this_task_arena::max_concurrency(); });
  CHECK(slots == 2);
}
