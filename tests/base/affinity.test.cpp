// lk-parallel | SPDX-License-Identifier: MIT
#include <sched.h>
#include <unistd.h>

#include <lk/parallel/base/affinity.hpp>
#include <support/catch.hpp>

using namespace lk::parallel;
using base::affinity_of;
using base::cpu_list;
using base::set_affinity_of;

TEST_CASE("the mask of a thread is read as the kernel has it, and can be set and set back") {
  cpu_set_t kernel;
  REQUIRE(::sched_getaffinity(0, sizeof kernel, &kernel) == 0);
  const cpu_list before = affinity_of(0);
  REQUIRE(before.size() == static_cast<std::size_t>(CPU_COUNT(&kernel)));
  for (const int cpu : before) CHECK(CPU_ISSET(static_cast<std::size_t>(cpu), &kernel));
  REQUIRE(set_affinity_of(0, {before.back()}));
  const cpu_list narrow = affinity_of(::gettid());
  REQUIRE(set_affinity_of(0, before));
  CHECK(narrow == cpu_list{before.back()});
  CHECK(affinity_of(0) == before);
}

TEST_CASE("what the kernel refuses is told and changes nothing") {
  const cpu_list before = affinity_of(0);
  CHECK_FALSE(set_affinity_of(0, {}));
  CHECK_FALSE(set_affinity_of(0, {100'000})); // no machine has that many
  CHECK_FALSE(set_affinity_of(-1, before));
  CHECK(affinity_of(0) == before);
  CHECK(affinity_of(-1).empty());
}
