// lk-parallel | SPDX-License-Identifier: MIT
#include <signal.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <config/fake_machine.hpp>
#include <lk/parallel/config/system_facts.hpp>
#include <lk/parallel/config/thread_names.hpp>
#include <support/catch.hpp>

using namespace lk::parallel;
using config::read_system_facts;
using testing::fake_machine;

namespace {

const std::string v2_mount = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
const std::string v1_mounts = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                              "39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
constexpr std::uint64_t gib = std::uint64_t{1} << 30;

fake_machine& in_v2_group(fake_machine& machine, const std::string& group) {
  return machine.with("/proc/self/mountinfo", v2_mount).with("/proc/self/cgroup", "0::" + group + "\n");
}

std::string status(const std::string& uid, const std::string& capabilities, const std::string& ignored = "0",
                   const std::string& caught = "0") {
  return "Name:\tjob\nPid:\t12\nUid:\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid + "\nThreads:\t3\nSigIgn:\t" +
         ignored + "\nSigCgt:\t" + caught + "\nCapEff:\t" + capabilities + "\n";
}

} // namespace

TEST_CASE("a machine without files has no facts") {
  const fake_machine machine;
  CHECK(read_system_facts(machine.root()) == system_facts{});
}

TEST_CASE("kernel, huge pages, overcommit and core pattern are read") {
  fake_machine machine;
  machine.with("/proc/sys/kernel/osrelease", "5.15.0-91-generic\n")
      .with("/proc/sys/vm/overcommit_memory", "2\n")
      .with("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n")
      .with("/proc/sys/kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P %u\n")
      .with("/proc/self/fd/0", "");
  const system_facts facts = read_system_facts(machine.root());
  CHECK(facts.kernel == "5.15.0-91-generic");
  CHECK(facts.overcommit == 2);
  CHECK(facts.huge_pages == "never");
  CHECK(facts.core_pattern == "|/usr/lib/systemd/systemd-coredump %P %u");
  CHECK(facts.has_proc);
}

TEST_CASE("memory that counts is what the group cannot give back at once, version 2") {
  fake_machine machine;
  in_v2_group(machine, "/jobs/night")
      .with("/sys/fs/cgroup/jobs/night/memory.max", std::to_string(8 * gib) + "\n")
      .with("/sys/fs/cgroup/jobs/night/memory.current", std::to_string(7 * gib) + "\n")
      .with("/sys/fs/cgroup/jobs/night/memory.stat",
            "anon 5\nfile 9\ninactive_file " + std::to_string(2 * gib) + "\nactive_file 3\n");
  CHECK(read_system_facts(machine.root()).memory == usage{5 * gib, 8 * gib});
}

TEST_CASE("the tightest of a group and its ancestors is told") {
  fake_machine machine;
  in_v2_group(machine, "/jobs/night")
      .with("/sys/fs/cgroup/jobs/night/memory.max", "max\n")
      .with("/sys/fs/cgroup/jobs/night/memory.current", "100\n");
  CHECK_FALSE(read_system_facts(machine.root()).memory);
  machine.with("/sys/fs/cgroup/jobs/memory.max", "1000\n").with("/sys/fs/cgroup/jobs/memory.current", "200\n");
  CHECK(read_system_facts(machine.root()).memory == usage{200, 1000});
  machine.with("/sys/fs/cgroup/jobs/night/memory.max", "110\n");
  CHECK(read_system_facts(machine.root()).memory == usage{100, 110});
  machine.with("/sys/fs/cgroup/jobs/night/pids.max", "50\n")
      .with("/sys/fs/cgroup/jobs/night/pids.current", "10\n")
      .with("/sys/fs/cgroup/jobs/pids.max", "100\n")
      .with("/sys/fs/cgroup/jobs/pids.current", "99\n");
  CHECK(read_system_facts(machine.root()).cgroup_tasks == usage{99, 100});
}

TEST_CASE("memory and tasks are read from version 1 groups") {
  fake_machine machine;
  machine.with("/proc/self/mountinfo", v1_mounts)
      .with("/proc/self/cgroup", "8:pids:/job\n4:memory:/job\n0::/\n")
      .with("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", std::to_string(2 * gib) + "\n")
      .with("/sys/fs/cgroup/memory/job/memory.usage_in_bytes", std::to_string(gib) + "\n")
      .with("/sys/fs/cgroup/memory/job/memory.stat", "inactive_file 7\ntotal_inactive_file 1024\n")
      .with("/sys/fs/cgroup/pids/job/pids.max", "max\n")
      .with("/sys/fs/cgroup/pids/job/pids.current", "5\n");
  const system_facts facts = read_system_facts(machine.root());
  CHECK(facts.memory == usage{gib - 1024, 2 * gib});
  CHECK_FALSE(facts.cgroup_tasks);
  machine.with("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK_FALSE(read_system_facts(machine.root()).memory);
}

TEST_CASE("a group that dies as a whole is found, also by an ancestor") {
  fake_machine machine;
  in_v2_group(machine, "/jobs/night").with("/sys/fs/cgroup/jobs/night/memory.oom.group", "0\n");
  CHECK_FALSE(read_system_facts(machine.root()).oom_kills_group);
  machine.with("/sys/fs/cgroup/other/memory.oom.group", "1\n");
  CHECK_FALSE(read_system_facts(machine.root()).oom_kills_group);
  machine.with("/sys/fs/cgroup/jobs/memory.oom.group", "1\n");
  CHECK(read_system_facts(machine.root()).oom_kills_group);
}

TEST_CASE("the limits of the process are read") {
  fake_machine machine;
  machine.with("/proc/self/fd/0", "").with("/proc/self/fd/1", "").with("/proc/self/fd/7", "");
  machine.with("/proc/self/limits", "Limit                     Soft Limit           Hard Limit           Units     \n"
                                    "Max core file size        0                    unlimited            bytes     \n"
                                    "Max processes             unlimited            unlimited            processes \n"
                                    "Max open files            1024                 524288               files     \n"
                                    "Max address space         8589934592           unlimited            bytes     \n");
  const system_facts facts = read_system_facts(machine.root());
  CHECK(facts.core_file_size == 0);
  CHECK_FALSE(facts.user_tasks);
  CHECK(facts.open_files == usage{3, 1024});
  CHECK(facts.address_space == 8 * gib);
}

TEST_CASE("threads of the user are counted where the limit binds") {
  fake_machine machine;
  machine.with("/proc/self/limits", "Max processes             100                  200                  processes\n")
      .with("/proc/self/status", status("1000", "0000000000000000"))
      .with("/proc/12/status", status("1000", "0"))
      .with("/proc/13/status", status("1000", "0"))
      .with("/proc/14/status", status("10", "0"))
      .with("/proc/sys/status", status("1000", "0"));
  CHECK(read_system_facts(machine.root()).user_tasks == usage{6, 100});
  SECTION("not for root") { machine.with("/proc/self/status", status("0", "0")); }
  SECTION("not with CAP_SYS_RESOURCE") { machine.with("/proc/self/status", status("1000", "0000000001000000")); }
  SECTION("not with CAP_SYS_ADMIN") { machine.with("/proc/self/status", status("1000", "0000000000200000")); }
  CHECK_FALSE(read_system_facts(machine.root()).user_tasks);
}

TEST_CASE("what the process does with SIGCHLD is read") {
  fake_machine machine;
  machine.with("/proc/self/status", status("0", "0", "0000000000010000", "0000000000000001"));
  CHECK(read_system_facts(machine.root()).ignores_sigchld);
  CHECK_FALSE(read_system_facts(machine.root()).handles_sigchld);
  machine.with("/proc/self/status", status("0", "0", "0000000000001000", "0000000180014a07"));
  CHECK_FALSE(read_system_facts(machine.root()).ignores_sigchld);
  CHECK(read_system_facts(machine.root()).handles_sigchld);
}

TEST_CASE("the devices that are open are named once each") {
  fake_machine machine;
  machine.with("/proc/self/fd/0", "");
  const std::filesystem::path folder = machine.root() + "/proc/self/fd";
  std::filesystem::create_symlink("/dev/null", folder / "1");
  std::filesystem::create_symlink("/dev/kfd", folder / "5");
  std::filesystem::create_symlink("/dev/kfd", folder / "6");
  std::filesystem::create_symlink("/home/dev/kfd", folder / "7");
  CHECK(read_system_facts(machine.root()).devices == std::vector<std::string>{"/dev/kfd", "/dev/null"});
}

TEST_CASE("this process is seen as it is") {
  struct sigaction before {};
  REQUIRE(::sigaction(SIGCHLD, nullptr, &before) == 0);
  ::signal(SIGCHLD, SIG_DFL);
  const system_facts usual = config::system_facts_now();
  CHECK(usual.has_proc);
  CHECK_FALSE(usual.kernel.empty());
  CHECK_FALSE(usual.ignores_sigchld);
  CHECK_FALSE(usual.handles_sigchld);
  ::signal(SIGCHLD, SIG_IGN);
  CHECK(config::system_facts_now().ignores_sigchld);
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  action.sa_flags = SA_NOCLDWAIT;
  ::sigaction(SIGCHLD, &action, nullptr);
  CHECK(config::system_facts_now().ignores_sigchld);
  ::signal(SIGCHLD, [](int) {});
  CHECK(config::system_facts_now().handles_sigchld);
  CHECK_FALSE(config::system_facts_now().ignores_sigchld);
  ::sigaction(SIGCHLD, &before, nullptr);
}

TEST_CASE("threads are grouped by owner and name") {
  fake_machine machine;
  machine
      .with("/proc/self/status", status("0", "0")) // Pid 12
      .with("/proc/self/task/12/comm", "lk-job\n")
      .with("/proc/self/task/13/comm", "lk-training\n")
      .with("/proc/self/task/14/comm", "lk-job\n")
      .with("/proc/self/task/15/comm", "lk-tbb\n")
      .with("/proc/self/task/16/comm", "grpc worker\n")
      .with("/proc/self/task/17/comm", "lk-tbb\n")
      .with("/proc/self/task/18/comm", "");
  CHECK(config::group_threads(machine.root()) == std::vector<thread_group>{{"lk-job", 1, thread_owner::main},
                                                                           {"lk-training", 1, thread_owner::library},
                                                                           {"lk-tbb", 2, thread_owner::one_tbb},
                                                                           {"grpc worker", 1, thread_owner::others},
                                                                           {"lk-job", 1, thread_owner::others}});
  CHECK(config::group_threads(fake_machine().root()).empty());
}
