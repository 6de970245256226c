// lk-parallel | SPDX-License-Identifier: MIT
#include <thread>

#include <lk/parallel/threads/task_scope.hpp>
#include <support/catch.hpp>

using namespace lk::parallel::threads;

TEST_CASE("a scope marks its own thread for as long as it lives, also when nested") {
  CHECK_FALSE(inside_task());
  {
    const task_scope outer;
    CHECK(inside_task());
    { const task_scope inner; }
    CHECK(inside_task());
    bool elsewhere = true;
    std::thread([&] { elsewhere = inside_task(); }).join();
    CHECK_FALSE(elsewhere);
  }
  CHECK_FALSE(inside_task());
}
