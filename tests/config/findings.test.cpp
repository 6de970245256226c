// lk-parallel | SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include <config/fake_machine.hpp>
#include <lk/parallel/config/findings.hpp>
#include <lk/parallel/config/system_facts.hpp>
#include <support/catch.hpp>

using namespace lk::parallel;
using testing::contains;
using testing::fake_machine;
using topics = std::vector<std::string>;

namespace {

constexpr ParallelConfig knobs_for_8{4, 8, 1, 2};
constexpr cpu_counts eight{8, 8, {}, 8};

/// A machine that nobody has to be warned of.
system_facts healthy() {
  system_facts facts;
  facts.has_proc = facts.has_pidfd = true;
  facts.kernel = "6.1.0-18-amd64";
  facts.huge_pages = "always";
  facts.core_pattern = "core";
  return facts;
}

/// Runs one judge and hands back what it found; each finding has a sentence of advice.
template <class Judge> std::vector<finding> found_by(Judge&& judge) {
  std::vector<finding> found;
  judge(found);
  for (const finding& each : found) {
    INFO(each.topic << ": " << each.what << " / " << each.advice);
    CHECK_FALSE(each.what.empty());
    CHECK(each.advice.ends_with('.'));
    CHECK(each.advice.find(". ") == std::string::npos);
  }
  return found;
}

std::vector<finding> of_cpus(const ParallelConfig& knobs, const cpu_counts& cpus) {
  return found_by([&](auto& found) { config::judge_cpus(knobs, cpus, found); });
}
std::vector<finding> of_forking(const system_facts& system, bool huge_heap = false) {
  return found_by([&](auto& found) { config::judge_forking(system, huge_heap, found); });
}
std::vector<finding> of_limits(const system_facts& system, const ParallelConfig& knobs = knobs_for_8) {
  return found_by([&](auto& found) { config::judge_limits(system, knobs, found); });
}
std::vector<finding> of_cores(const system_facts& system, bool allowed) {
  return found_by([&](auto& found) { config::judge_core_files(system, allowed, found); });
}
std::vector<finding> of_devices(const std::vector<std::string>& devices) {
  system_facts facts = healthy();
  facts.devices = devices;
  return found_by([&](auto& found) { config::judge_devices(facts, found); });
}

/// Exactly one finding, on that topic.
finding only(const std::vector<finding>& found, severity level, const std::string& topic) {
  REQUIRE(found.size() == 1);
  CHECK(found[0].topic == topic);
  CHECK(found[0].level == level);
  return found[0];
}

} // namespace

TEST_CASE("nothing is found where all is well") {
  CHECK(of_cpus(knobs_for_8, eight).empty());
  CHECK(of_cpus({1, 1, 1, 1}, {1, 1, {}, 1}).empty());
  CHECK(of_forking(healthy()).empty());
  CHECK(of_limits(healthy()).empty());
  CHECK(of_devices({"/dev/null", "/dev/nvidiactl"}).empty());
}

TEST_CASE("products of knobs above the CPUs are found") {
  CHECK_THAT(only(of_cpus({4, 8, 1, 3}, eight), severity::warning, "child-threads").what,
             contains("4 x 3 = 12") && contains("8 CPUs"));
  CHECK_THAT(only(of_cpus({4, 8, 2, 2}, eight), severity::warning, "backend-threads").what, contains("8 x 2 = 16"));
  CHECK(of_cpus({1'000'000'000, 8, 1, 1'000'000'000}, eight).size() == 1); // no overflow
}

TEST_CASE("knobs that leave the backends alone are found where there are several of them") {
  only(of_cpus({4, 8, 1, -1}, eight), severity::warning, "child-threads");
  only(of_cpus({4, 8, -1, 2}, eight), severity::note, "backend-threads");
  CHECK(of_cpus({1, 1, -1, -1}, eight).empty());
}

TEST_CASE("one CPU out of many is found, with who took the others") {
  const ParallelConfig ones{1, 1, 1, 1};
  CHECK_THAT(only(of_cpus(ones, {64, 64, 1, 1}), severity::warning, "cpus").what,
             contains("quota") && contains("1 of the machine's 64"));
  CHECK_THAT(only(of_cpus(ones, {64, 1, {}, 1}), severity::warning, "cpus").what, contains("affinity mask"));
  CHECK_THAT(only(of_cpus(knobs_for_8, {64, 64, 8, 8}), severity::note, "cpu-quota").what,
             contains("8 CPUs of the 64"));
  CHECK(of_cpus(knobs_for_8, {64, 8, 16, 8}).empty());
}

TEST_CASE("what makes a fork hard or slow is found") {
  system_facts facts = healthy();
  SECTION("no /proc") {
    facts.has_proc = false;
    only(of_forking(facts), severity::warning, "proc");
  }
  SECTION("old kernels") {
    for (const char* release : {"4.18.0-553.el8.x86_64", "5.2.21", "3.10.0"}) {
      facts.kernel = release;
      facts.has_pidfd = false;
      CHECK_THAT(only(of_forking(facts), severity::warning, "kernel").what, contains(release));
    }
    for (const char* release : {"5.3.0", "5.10.0-28", "6.18.44", "10.0", "", "unknown"}) {
      facts.kernel = release;
      facts.has_pidfd = true;
      CHECK(of_forking(facts).empty());
    }
  }
  SECTION("no pidfd_open on a newer kernel") {
    facts.has_pidfd = false;
    only(of_forking(facts), severity::note, "pidfd");
  }
  SECTION("strict overcommit") {
    facts.overcommit = 2;
    only(of_forking(facts), severity::warning, "overcommit");
    facts.overcommit = 1;
    CHECK(of_forking(facts).empty());
  }
  SECTION("no huge pages") {
    facts.huge_pages = "never";
    only(of_forking(facts, true), severity::warning, "huge-pages");
    facts.huge_pages = "madvise";
    only(of_forking(facts), severity::note, "huge-pages");
    CHECK(of_forking(facts, true).empty());
    facts.huge_pages = "";
    CHECK(of_forking(facts).empty());
  }
  SECTION("SIGCHLD") {
    facts.ignores_sigchld = true;
    CHECK_THAT(only(of_forking(facts), severity::note, "sigchld").what, contains("ignores"));
    facts.ignores_sigchld = false;
    facts.handles_sigchld = true;
    CHECK_THAT(only(of_forking(facts), severity::note, "sigchld").what, contains("handles"));
  }
}

TEST_CASE("limits that a job may run into are found") {
  system_facts facts = healthy();
  SECTION("a group that dies as a whole") {
    facts.oom_kills_group = true;
    only(of_limits(facts), severity::warning, "oom-group");
  }
  SECTION("little memory left") {
    facts.memory = usage{95, 100};
    only(of_limits(facts), severity::warning, "memory");
    facts.memory = usage{90, 100};
    CHECK(of_limits(facts).empty());
    facts.memory = usage{101, 100};
    only(of_limits(facts), severity::warning, "memory");
  }
  SECTION("few processes left") { // 4 x (1 + 2) + 8 + 8 = 28 are needed
    facts.cgroup_tasks = usage{73, 100};
    CHECK_THAT(only(of_limits(facts), severity::warning, "processes").what, contains("pids.max") && contains("28"));
    facts.cgroup_tasks = usage{72, 100};
    CHECK(of_limits(facts).empty());
    facts.user_tasks = usage{73, 100};
    CHECK_THAT(only(of_limits(facts), severity::warning, "processes").what, contains("ulimit -u"));
    facts.user_tasks = usage{80, 100};
    CHECK(of_limits(facts, {4, 1, 1, -1}).size() == 0); // 4 x 2 + 1 + 8 = 17
  }
  SECTION("few descriptors left") {
    facts.open_files = usage{1000, 1024};
    only(of_limits(facts), severity::warning, "open-files");
    facts.open_files = usage{100, 1024};
    CHECK(of_limits(facts).empty());
  }
  SECTION("a limited address space") {
    facts.address_space = std::uint64_t{8} << 30;
    CHECK_THAT(only(of_limits(facts), severity::note, "address-space").what, contains("8.0 GiB"));
  }
}

TEST_CASE("where core files go is told") {
  system_facts facts = healthy();
  CHECK_THAT(only(of_cores(facts, false), severity::note, "core-files").what, contains("to the file core"));
  facts.core_pattern = "|/usr/lib/systemd/systemd-coredump %P";
  CHECK_THAT(only(of_cores(facts, false), severity::note, "core-files").what,
             contains("to the program /usr/lib/systemd/systemd-coredump %P"));
  facts.core_file_size = 0;
  only(of_cores(facts, true), severity::note, "core-files"); // pipes do not ask for the limit
  facts.core_pattern = "core";
  CHECK_THAT(only(of_cores(facts, true), severity::warning, "core-files").what, contains("limit of core files is 0"));
  facts.core_file_size = {};
  CHECK_THAT(only(of_cores(facts, true), severity::note, "core-files").what, contains("the model included"));
}

TEST_CASE("devices that do not follow a fork are found, each kind once") {
  only(of_devices({"/dev/kfd", "/dev/null"}), severity::warning, "rocm");
  only(of_devices({"/dev/infiniband/uverbs0", "/dev/infiniband/uverbs1"}), severity::note, "rdma");
}

TEST_CASE("from the files of a machine to its findings") {
  fake_machine machine;
  machine.with("/proc/sys/kernel/osrelease", "6.1.0\n")
      .with("/proc/self/fd/0", "")
      .with("/proc/sys/vm/overcommit_memory", "2\n")
      .with("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n")
      .with("/proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
      .with("/proc/self/cgroup", "0::/night\n")
      .with("/sys/fs/cgroup/night/memory.oom.group", "1\n");
  system_facts facts = config::read_system_facts(machine.root());
  facts.has_pidfd = true;
  topics seen;
  for (const finding& each : of_forking(facts)) seen.push_back(each.topic);
  for (const finding& each : of_limits(facts)) seen.push_back(each.topic);
  CHECK(seen == topics{"overcommit", "huge-pages", "oom-group"});
}
