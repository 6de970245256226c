// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What is read about the machine, the system and this process for diagnose(), and what is found in it. Only the shapes:
// how each is read is in machine.hpp, system_facts.hpp and thread_names.hpp, how it is judged in findings.hpp.

namespace lk::parallel {

/// How many CPUs there are, by each who has a say.
struct cpu_counts {
  int machine = 1;                  ///< online in the machine
  std::optional<int> affinity = {}; ///< in the affinity mask, which respects cpusets; empty where it is not known
  std::optional<int> quota = {};    ///< that the quotas of the control groups pay for, rounded up; empty: no quota
  int effective = 1;                ///< effective_cpu_count()

  friend bool operator==(const cpu_counts&, const cpu_counts&) = default;
};

/// Memory and the CPUs that are nearest to it.
struct numa_node {
  int number = 0;                 ///< the kernel's
  std::uint64_t memory_bytes = 0; ///< of its own, free or not
  int processing_units = 0;       ///< of its own

  friend bool operator==(const numa_node&, const numa_node&) = default;
};

/// The whole machine, also what this process may not use. All 0 and empty where hwloc cannot read it.
struct machine_topology {
  std::string cpu_model;        ///< "AMD EPYC"
  int packages = 0;             ///< sockets
  int cores = 0;                ///< of all packages
  int processing_units = 0;     ///< hardware threads; more than cores where these have several (SMT)
  std::vector<numa_node> nodes; ///< in the order of their numbers

  friend bool operator==(const machine_topology&, const machine_topology&) = default;
};

/// Something that is limited. Units: of what it counts.
struct usage {
  std::uint64_t used = 0;  ///< now
  std::uint64_t limit = 0; ///< at most

  /// What may still be used; 0 where the limit is exceeded.
  std::uint64_t left() const { return limit > used ? limit - used : 0; }
  friend bool operator==(const usage&, const usage&) = default;
};

/// What of the system matters to worker processes. Empty members: not known, or no limit.
struct system_facts {
  bool has_proc = false;                            ///< /proc is mounted
  std::string kernel;                               ///< its release, "6.1.0-18-amd64"
  bool has_pidfd = false;                           ///< pidfd_open works
  int overcommit = 0;                               ///< vm.overcommit_memory
  std::string huge_pages;                           ///< transparent huge pages: "always", "madvise", "never"
  std::string core_pattern;                         ///< where core files go
  std::optional<usage> memory = {};                 ///< bytes of the memory cgroup that is closest to its limit
  bool oom_kills_group = false;                     ///< memory.oom.group of the cgroup or of an ancestor
  std::optional<usage> cgroup_tasks = {};           ///< pids.max: threads of the cgroup that is closest to its limit
  std::optional<usage> user_tasks = {};             ///< RLIMIT_NPROC: threads of the user; empty where it does not bind
  std::optional<usage> open_files = {};             ///< RLIMIT_NOFILE
  std::optional<std::uint64_t> address_space = {};  ///< RLIMIT_AS in bytes
  std::optional<std::uint64_t> core_file_size = {}; ///< RLIMIT_CORE in bytes
  bool ignores_sigchld = false;                     ///< SIG_IGN, or SA_NOCLDWAIT
  bool handles_sigchld = false;                     ///< the program has a handler
  std::vector<std::string> devices;                 ///< device files that are open, each once

  friend bool operator==(const system_facts&, const system_facts&) = default;
};

/// Whose thread it is, by its name.
enum class thread_owner {
  main,    ///< the thread that the process began with
  library, ///< lk-parallel
  one_tbb, ///< oneTBB, met in an arena of the library
  others,  ///< other libraries, or the program itself
};

/// The owner as people read it: "lk-parallel", "oneTBB".
constexpr const char* to_string(thread_owner owner) noexcept {
  switch (owner) {
  case thread_owner::main:
    return "main";
  case thread_owner::library:
    return "lk-parallel";
  case thread_owner::one_tbb:
    return "oneTBB";
  case thread_owner::others:
    break;
  }
  return "others";
}

/// Threads of one name.
struct thread_group {
  std::string name;                          ///< at most 15 characters
  int count = 0;                             ///< how many have that name
  thread_owner owner = thread_owner::others; ///< whose they are

  friend bool operator==(const thread_group&, const thread_group&) = default;
};

/// How bad a finding is.
enum class severity {
  note,    ///< good to know; nothing is wrong
  warning, ///< costs speed or memory, or may end the job
};

/// The word for it: "note", "warning".
constexpr const char* to_string(severity level) noexcept { return level == severity::warning ? "warning" : "note"; }

/// Something that diagnose() has found, and what to do about it.
struct finding {
  severity level = severity::note; ///< how bad it is
  std::string topic;               ///< a short name that stays the same, "overcommit"
  std::string what;                ///< what was found
  std::string advice;              ///< what to do about it, one sentence

  friend bool operator==(const finding&, const finding&) = default;
};

} // namespace lk::parallel
