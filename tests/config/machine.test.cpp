// lk-parallel | SPDX-License-Identifier: MIT
#include <optional>
#include <string>

#include <config/fake_machine.hpp>
#include <lk/parallel/config/machine.hpp>
#include <support/catch.hpp>

using namespace lk::parallel;
using testing::fake_machine;

namespace {

/// What hwloc makes of a synthetic machine.
machine_topology synthetic(const char* description) {
  hwloc_topology_t raw = nullptr;
  REQUIRE(hwloc_topology_init(&raw) == 0);
  const config::topology_ptr topology(raw);
  REQUIRE(hwloc_topology_set_synthetic(raw, description) == 0);
  REQUIRE(hwloc_topology_load(raw) == 0);
  return config::describe_topology(raw);
}

} // namespace

TEST_CASE("a list of CPUs is counted") {
  const auto [list, n] = GENERATE(table<const char*, std::optional<int>>({{"0\n", 1},
                                                                          {"0-3\n", 4},
                                                                          {"0-3,8,10-11\n", 7},
                                                                          {"0-127", 128},
                                                                          {"", std::nullopt},
                                                                          {"\n", std::nullopt},
                                                                          {"3-1\n", std::nullopt},
                                                                          {"-1\n", std::nullopt},
                                                                          {"all\n", std::nullopt},
                                                                          {"0-\n", std::nullopt}}));
  CHECK(config::count_cpu_list(list) == n);
}

TEST_CASE("the CPUs of the machine, of the mask and of the quota are told apart") {
  fake_machine machine;
  machine.with("/sys/devices/system/cpu/online", "0-63\n")
      .with("/proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
      .with("/proc/self/cgroup", "0::/job\n")
      .with("/sys/fs/cgroup/job/cpu.max", "100000 100000\n");
  const cpu_counts cpus = config::count_cpus(machine.root());
  CHECK(cpus.machine == 64);
  CHECK(cpus.affinity == config::affinity_cpu_count());
  CHECK(cpus.quota == 1);
  CHECK(cpus.effective == 1);
  machine.with("/sys/fs/cgroup/job/cpu.max", "max 100000\n");
  CHECK(config::count_cpus(machine.root()) == cpu_counts{64, cpus.affinity, {}, cpus.affinity.value_or(64)});
}

TEST_CASE("a machine without sysfs has at least one CPU") {
  const fake_machine machine;
  CHECK(config::online_cpu_count(machine.root()) >= 1);
}

TEST_CASE("packages, NUMA nodes, cores and processing units are counted") {
  const machine_topology machine = synthetic("pack:2 [numa(memory=1073741824)] core:8 pu:2");
  CHECK(machine.packages == 2);
  CHECK(machine.cores == 16);
  CHECK(machine.processing_units == 32);
  const std::uint64_t gib = std::uint64_t{1} << 30;
  CHECK(machine.nodes == std::vector<numa_node>{{0, gib, 16}, {1, gib, 16}});
  CHECK(machine.cpu_model.empty());
}

TEST_CASE("a machine of one core has one of everything") {
  const machine_topology machine = synthetic("pack:1 core:1 pu:1");
  CHECK(machine.packages == 1);
  CHECK(machine.cores == 1);
  CHECK(machine.processing_units == 1);
  CHECK(machine.nodes.size() == 1);
}

TEST_CASE("the topology of this machine has all of its CPUs") {
  CHECK(config::read_topology().processing_units >= config::online_cpu_count(""));
}
