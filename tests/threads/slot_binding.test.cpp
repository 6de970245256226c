// lk-parallel | SPDX-License-Identifier: MIT
#include <atomic>
#include <map>
#include <mutex>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <lk/parallel/base/affinity.hpp>
#include <lk/parallel/threads/slot_binding.hpp>
#include <lk/parallel/threads/thread_budget.hpp>
#include <support/catch.hpp>
#include <threads/rendezvous.hpp>

using namespace lk::parallel;
using base::cpu_list;
using threads::slot_binding;
using threads::thread_budget;

namespace {

/// Slot -> mask of the thread in it, of exactly n threads.
std::map<int, cpu_list> masks_in_slots(int n) {
  std::map<int, cpu_list> masks;
  std::mutex one_at_a_time;
  testing::rendezvous meeting(static_cast<std::size_t>(n));
  oneapi::tbb::parallel_for(0, n, [&](int) {
    meeting.meet();
    const std::lock_guard lock(one_at_a_time);
    masks[oneapi::tbb::this_task_arena::current_thread_index()] = base::affinity_of(0);
  });
  return masks;
}

} // namespace

TEST_CASE("a helping thread has the CPUs of its slot while it helps, and no longer") {
  const cpu_list all = base::affinity_of(0);
  const cpu_list last{all.back()};
  const oneapi::tbb::global_control two(oneapi::tbb::global_control::max_allowed_parallelism, 2); // on one CPU, too
  for (int round = 0; round < 50; ++round) {
    {
      thread_budget budget(2, true, threads::backend_pools::find(),
                           {.of_slot = {{all.front()}, last}, .elsewhere = all});
      std::map<int, cpu_list> masks;
      budget.run([&] { masks = masks_in_slots(2); });
      REQUIRE(masks == std::map<int, cpu_list>{{0, all}, {1, last}});
    } // the helper still lingers in the arena that is dropped here
    std::map<int, cpu_list> elsewhere;
    oneapi::tbb::task_arena foreign(2);
    foreign.execute([&] { elsewhere = masks_in_slots(2); });
    REQUIRE(elsewhere == std::map<int, cpu_list>{{0, all}, {1, all}});
  }
}

TEST_CASE("a thread that leaves gets its mask back at once") {
  const cpu_list all = base::affinity_of(0);
  slot_binding binding({.of_slot = {{}, {all.back()}}, .elsewhere = all});
  binding.come(1);
  const cpu_list inside = base::affinity_of(0);
  binding.leave();
  CHECK(inside == cpu_list{all.back()});
  CHECK(base::affinity_of(0) == all);
}

TEST_CASE("a slot without CPUs, or beyond those that are known, binds nobody") {
  const cpu_list all = base::affinity_of(0);
  slot_binding binding({.of_slot = {{all.back()}, {}}, .elsewhere = {all.back()}});
  for (const int slot : {-2, -1, 1, 2}) {
    binding.come(slot);
    CHECK(base::affinity_of(0) == all);
    binding.leave();
    CHECK(base::affinity_of(0) == all);
  }
}
