// lk-parallel | SPDX-License-Identifier: MIT
#include <optional>
#include <string>

#include <config/fake_machine.hpp>
#include <lk/parallel/config/cgroup.hpp>
#include <support/catch.hpp>

using namespace lk::parallel;
using testing::fake_machine;

namespace {

const std::string v2_mount = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
const std::string v1_mount = "33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

std::optional<int> limit(const fake_machine& machine) { return config::cgroup_cpu_limit(machine.root()); }

/// A version 2 machine whose process is in `group`.
fake_machine& in_v2_group(fake_machine& machine, const std::string& group) {
  return machine.with("/proc/self/mountinfo", "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + v2_mount)
      .with("/proc/self/cgroup", "0::" + group + "\n");
}

} // namespace

TEST_CASE("without control groups there is no limit") {
  fake_machine machine;
  CHECK_FALSE(limit(machine));
  machine.with("/proc/self/mountinfo", "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n").with("/proc/self/cgroup", "0::/\n");
  CHECK_FALSE(limit(machine));
}

TEST_CASE("a version 2 quota is rounded up to whole CPUs, at least 1") {
  struct quota {
    const char* text;
    std::optional<int> cpus;
  };
  const auto [text, cpus] = GENERATE(values<quota>({{"200000 100000\n", 2},
                                                    {"150000 100000\n", 2},
                                                    {"250000 100000\n", 3},
                                                    {"1000 100000\n", 1},
                                                    {"50000 10000\n", 5},
                                                    {"max 100000\n", std::nullopt},
                                                    {"max\n", std::nullopt},
                                                    {"", std::nullopt},
                                                    {"\n", std::nullopt},
                                                    {"100000\n", std::nullopt},
                                                    {"-1 100000\n", std::nullopt},
                                                    {"0 100000\n", std::nullopt},
                                                    {"100000 0\n", std::nullopt},
                                                    {"nonsense here\n", std::nullopt},
                                                    {"9000000000000 1\n", 1000000}}));
  fake_machine machine;
  in_v2_group(machine, "/user.slice/job").with("/sys/fs/cgroup/user.slice/job/cpu.max", text);
  CHECK(limit(machine) == cpus);
}

TEST_CASE("the least quota of a group and its ancestors counts") {
  fake_machine machine;
  in_v2_group(machine, "/a/b/c").with("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
  CHECK_FALSE(limit(machine));
  machine.with("/sys/fs/cgroup/a/cpu.max", "600000 100000\n");
  CHECK(limit(machine) == 6);
  machine.with("/sys/fs/cgroup/a/b/cpu.max", "300000 100000\n");
  CHECK(limit(machine) == 3);
  machine.with("/sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
  CHECK(limit(machine) == 3);
  machine.with("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  CHECK(limit(machine) == 2);
  machine.with("/sys/fs/cgroup/a/b2/cpu.max", "100000 100000\n"); // a sibling
  CHECK(limit(machine) == 2);
}

TEST_CASE("a process in the topmost group has the quota that is seen there") {
  fake_machine machine;
  in_v2_group(machine, "/").with("/sys/fs/cgroup/cpu.max", "300000 100000\n");
  CHECK(limit(machine) == 3);
}

TEST_CASE("a version 1 quota counts, -1 is none") {
  fake_machine machine;
  machine.with("/proc/self/mountinfo", v1_mount)
      .with("/proc/self/cgroup", "5:memory:/other\n4:cpu,cpuacct:/job\n0::/\n");
  machine.with_quota_v1("/sys/fs/cgroup/cpu,cpuacct/job", "-1", "100000");
  CHECK_FALSE(limit(machine));
  machine.with_quota_v1("/sys/fs/cgroup/cpu,cpuacct/job", "350000", "100000");
  CHECK(limit(machine) == 4);
  machine.with_quota_v1("/sys/fs/cgroup/cpu,cpuacct", "150000", "100000");
  CHECK(limit(machine) == 2);
}

TEST_CASE("only the hierarchy with the cpu controller counts in version 1") {
  fake_machine machine;
  machine.with("/proc/self/mountinfo", "33 30 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n")
      .with("/proc/self/cgroup", "4:cpuset:/\n3:cpu:/\n")
      .with_quota_v1("/sys/fs/cgroup/cpuset", "100000", "100000");
  CHECK_FALSE(limit(machine));
}

TEST_CASE("both versions at once: the lesser quota counts") {
  fake_machine machine;
  machine
      .with("/proc/self/mountinfo",
            v1_mount + "34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n")
      .with("/proc/self/cgroup", "4:cpu,cpuacct:/job\n0::/job\n")
      .with_quota_v1("/sys/fs/cgroup/cpu,cpuacct/job", "400000", "100000")
      .with("/sys/fs/cgroup/unified/job/cpu.max", "300000 100000\n");
  CHECK(limit(machine) == 3);
  machine.with_quota_v1("/sys/fs/cgroup/cpu,cpuacct/job", "200000", "100000");
  CHECK(limit(machine) == 2);
}

TEST_CASE("a container that sees only its own group finds its quota at the mount point") {
  fake_machine machine;
  machine.with("/proc/self/mountinfo", "33 30 0:29 /docker/0a1b /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n")
      .with("/proc/self/cgroup", "4:cpu:/docker/0a1b\n")
      .with_quota_v1("/sys/fs/cgroup/cpu", "200000", "100000");
  CHECK(limit(machine) == 2);
  machine.with("/proc/self/cgroup", "4:cpu:/docker/0a1b/inner\n")
      .with_quota_v1("/sys/fs/cgroup/cpu/inner", "100000", "100000");
  CHECK(limit(machine) == 1);
  machine.with("/proc/self/cgroup", "4:cpu:/docker/0a1bc\n"); // not below the mounted group
  CHECK(limit(machine) == 2);
}

TEST_CASE("a group outside of the namespace is judged by the mount point") {
  fake_machine machine;
  in_v2_group(machine, "/../elsewhere").with("/sys/fs/cgroup/cpu.max", "500000 100000\n");
  CHECK(limit(machine) == 5);
}

TEST_CASE("mount points and groups may hold blanks and colons") {
  fake_machine machine;
  machine.with("/proc/self/mountinfo", "30 24 0:26 / /sys/fs/my\\040cgroup rw - cgroup2 cgroup2 rw\n")
      .with("/proc/self/cgroup", "0::/a:b c\n")
      .with("/sys/fs/my cgroup/a:b c/cpu.max", "200000 100000\n");
  CHECK(limit(machine) == 2);
}

TEST_CASE("broken lines are passed over") {
  fake_machine machine;
  machine.with("/proc/self/mountinfo", "\nnonsense\n1 2 3\n - \n" + v2_mount)
      .with("/proc/self/cgroup", "\nnonsense\n:\n0::/job\n")
      .with("/sys/fs/cgroup/job/cpu.max", "200000 100000\n");
  CHECK(limit(machine) == 2);
}
