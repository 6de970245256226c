// lk-parallel | SPDX-License-Identifier: MIT
#include <config/fake_machine.hpp>
#include <lk/parallel/config/oom_kills.hpp>
#include <support/catch.hpp>

using namespace lk::parallel;
using config::count_oom_kills;
using testing::fake_machine;

namespace {

const std::string v2_mount = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
const std::string v1_mount = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";

} // namespace

TEST_CASE("kills for memory are counted in this process's own group, version 2") {
  fake_machine machine;
  machine.with("/proc/self/mountinfo", v2_mount)
      .with("/proc/self/cgroup", "0::/jobs/scoring\n")
      .with("/sys/fs/cgroup/jobs/memory.events", "low 0\nhigh 0\nmax 7\noom 4\noom_kill 9\n")
      .with("/sys/fs/cgroup/jobs/scoring/memory.events", "low 0\nhigh 0\nmax 7\noom 4\noom_kill 3\n");
  REQUIRE(count_oom_kills(machine.root()) == 3);
}

TEST_CASE("kills for memory are counted in this process's own group, version 1") {
  fake_machine machine;
  machine.with("/proc/self/mountinfo", v1_mount)
      .with("/proc/self/cgroup", "5:cpu:/other\n4:memory:/jobs\n")
      .with("/sys/fs/cgroup/memory/jobs/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n");
  REQUIRE(count_oom_kills(machine.root()) == 5);
}

TEST_CASE("where no group tells of kills for memory, the machine's count is taken, else none") {
  fake_machine machine;
  REQUIRE(count_oom_kills(machine.root()) == 0);
  machine.with("/proc/vmstat", "nr_free_pages 12\noom_kill 2\n");
  REQUIRE(count_oom_kills(machine.root()) == 2);
  machine.with("/proc/self/mountinfo", v2_mount)
      .with("/proc/self/cgroup", "0::/old\n")
      .with("/sys/fs/cgroup/old/memory.events", "low 0\nhigh 0\n");
  REQUIRE(count_oom_kills(machine.root()) == 2);
}
