// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <lk/parallel/config/config.hpp>
#include <lk/parallel/config/facts.hpp>

// From facts to what a person should know before a job runs for a night: pure functions, one for each subject. The
// front's diagnose() hands them what it has read.

namespace lk::parallel::config {

using findings = std::vector<finding>;

inline std::string in_gib(std::uint64_t bytes) {
  const auto tenths = (bytes * 10 + (std::uint64_t{1} << 29)) >> 30;
  return std::to_string(tenths / 10) + '.' + std::to_string(tenths % 10) + " GiB";
}

/// "2 x 3 = 6", a part of a sentence.
inline std::string product_of(int a, int b) {
  return std::to_string(a) + " x " + std::to_string(b) + " = " + std::to_string(std::int64_t{a} * b);
}

/// Whether the knobs fit the CPUs, and the CPUs the machine.
inline void judge_cpus(const ParallelConfig& knobs, const cpu_counts& cpus, findings& found) {
  const std::string there = std::to_string(cpus.effective) + (cpus.effective == 1 ? " CPU" : " CPUs");
  const auto exceeds = [&](int a, int b) { return std::int64_t{a} * b > cpus.effective; };
  if (cpus.effective == 1 && cpus.machine > 1) {
    const bool is_quota = cpus.quota == 1;
    found.push_back({severity::warning, "cpus",
                     std::string(is_quota ? "the quota of the control group" : "the affinity mask") +
                         " leaves this process 1 of the machine's " + std::to_string(cpus.machine) + " CPUs",
                     is_quota ? "Raise the quota (CPUQuota= of systemd, --cpus of a container, cpu.max), or all work "
                                "runs one task at a time."
                              : "Start the job with more CPUs (taskset, --cpus-per-task of Slurm, cpuset), or all "
                                "work runs one task at a time."});
  } else if (cpus.quota && cpus.affinity && *cpus.quota < *cpus.affinity) {
    found.push_back({severity::note, "cpu-quota",
                     "the quota of the control group pays for " + there + " of the " + std::to_string(*cpus.affinity) +
                         " that the process may run on",
                     "Libraries that count CPUs without looking at quotas start too many threads and are throttled: "
                     "set their own variables to " +
                         std::to_string(cpus.effective) + " (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS)."});
  }
  if (knobs.child_threads < 1 && knobs.processes > 1) {
    found.push_back({severity::warning, "child-threads",
                     "child_threads is -1, so BLAS and OpenMP of each of " + std::to_string(knobs.processes) +
                         " workers take as many threads as they like",
                     "Unless their own variables limit them, set LK_NUM_CHILD_THREADS to a number."});
  } else if (exceeds(knobs.processes, knobs.child_threads)) {
    found.push_back({severity::warning, "child-threads",
                     "processes x child_threads is " + product_of(knobs.processes, knobs.child_threads) +
                         ", more than the " + there + " there are",
                     "Lower LK_NUM_PROCS or LK_NUM_CHILD_THREADS, or the workers wait for each other."});
  }
  if (knobs.backend_threads < 1 && knobs.threads > 1) {
    found.push_back({severity::note, "backend-threads",
                     "backend_threads is -1, so BLAS and OpenMP called from each of " + std::to_string(knobs.threads) +
                         " training threads take as many threads as they like",
                     "Unless their own variables limit them, set LK_NUM_BACKEND_THREADS to a number."});
  } else if (exceeds(knobs.threads, knobs.backend_threads)) {
    found.push_back({severity::warning, "backend-threads",
                     "threads x backend_threads is " + product_of(knobs.threads, knobs.backend_threads) +
                         ", more than the " + there + " there are",
                     "Lower LK_NUM_THREADS or LK_NUM_BACKEND_THREADS, or training threads wait for each other."});
  }
}

/// Whether workers can be forked at all, and what a fork costs.
inline void judge_forking(const system_facts& system, bool heap_uses_huge_pages, findings& found) {
  if (!system.has_proc) {
    found.push_back({severity::warning, "proc", "/proc is not mounted",
                     "Mount it (mount -t proc proc /proc): without it no worker process can start."});
  }
  int major = 0, minor = 0;
  const char *const begin = system.kernel.data(), *const end = begin + system.kernel.size();
  const auto dot = std::from_chars(begin, end, major);
  if (dot.ptr != end && *dot.ptr == '.') std::from_chars(dot.ptr + 1, end, minor);
  const bool is_old = dot.ec == std::errc{} && std::pair(major, minor) < std::pair(5, 3);
  if (is_old) {
    found.push_back({severity::warning, "kernel", "Linux " + system.kernel + " is older than 5.3",
                     "Workers run, but their ends are noticed by the end of a socket instead of a pidfd; take 5.3 or "
                     "newer where the job runs unattended."});
  } else if (!system.has_pidfd) {
    found.push_back({severity::note, "pidfd", "the system refuses pidfd_open",
                     "Nothing needs to be done: the end of a socket stands in for it; a sandbox that forbids it, or "
                     "valgrind, is the usual cause."});
  }
  if (system.overcommit == 2) {
    found.push_back({severity::warning, "overcommit",
                     "vm.overcommit_memory is 2: each process is charged for all it could write to, shared or not",
                     "A host with a large model may be refused its workers; set vm.overcommit_memory to 0, or raise "
                     "vm.overcommit_ratio or add swap by the model's size for each worker."});
  }
  const char* const slow = ", so a fork takes 20 ms or more for each GiB of the host instead of less than one";
  const char* const tunable =
      "set GLIBC_TUNABLES=glibc.malloc.hugetlb=1 (glibc 2.35 and newer) where models are large.";
  if (system.huge_pages == "never") {
    found.push_back({severity::warning, "huge-pages", std::string("transparent huge pages are off") + slow,
                     std::string("Write madvise to /sys/kernel/mm/transparent_hugepage/enabled and ") + tunable});
  } else if (system.huge_pages == "madvise" && !heap_uses_huge_pages) {
    found.push_back({severity::note, "huge-pages",
                     std::string("huge pages are given on request only, and malloc does not ask for them") + slow,
                     std::string("To have them, ") + tunable});
  }
  if (system.ignores_sigchld) {
    found.push_back({severity::note, "sigchld", "this program ignores SIGCHLD, so the kernel reaps its children",
                     "Workers do not mind, but the program cannot learn how other children of its own ended; give "
                     "SIGCHLD its default action if it needs to."});
  } else if (system.handles_sigchld) {
    found.push_back({severity::note, "sigchld", "this program handles SIGCHLD",
                     "Workers do not mind; let the handler wait for the pids it knows and not for any child (-1), so "
                     "that it does not take away ends that others wait for."});
  }
}

/// What may end the job, or keep it from starting its processes.
inline void judge_limits(const system_facts& system, const ParallelConfig& knobs, findings& found) {
  if (system.oom_kills_group) {
    found.push_back({severity::warning, "oom-group",
                     "memory.oom.group is 1: where memory runs out, the kernel kills the whole control group",
                     "Let it kill one worker, whose task is then reported or tried again: OOMPolicy=continue of "
                     "systemd, or write 0 to memory.oom.group."});
  }
  if (system.memory && system.memory->left() < system.memory->limit / 10) {
    found.push_back({severity::warning, "memory",
                     "the control group uses " + in_gib(system.memory->used) + " of the " +
                         in_gib(system.memory->limit) + " it may have",
                     "Raise the limit (MemoryMax= of systemd, --memory of a container) or use fewer workers, before "
                     "the kernel kills one."});
  }
  // A zygote, the workers and the threads of one pool, the training arena and a few of the program's own.
  const std::uint64_t needed = static_cast<std::uint64_t>(knobs.processes) *
                                   (1 + static_cast<std::uint64_t>(knobs.child_threads < 1 ? 1 : knobs.child_threads)) +
                               static_cast<std::uint64_t>(knobs.threads) + 8;
  const auto judge_tasks = [&](const std::optional<usage>& tasks, const char* whose, const char* advice) {
    if (!tasks || tasks->left() >= needed) return;
    found.push_back({severity::warning, "processes",
                     std::string(whose) + " allows " + std::to_string(tasks->limit) + " processes and threads, and " +
                         std::to_string(tasks->used) + " are there; the workers may need " + std::to_string(needed),
                     advice});
  };
  judge_tasks(system.cgroup_tasks, "the control group (pids.max)",
              "Raise it (TasksMax= of systemd, --pids-limit of a container), or lower LK_NUM_PROCS.");
  judge_tasks(system.user_tasks, "the limit of this user (ulimit -u)", "Raise it, or lower LK_NUM_PROCS.");
  if (system.open_files && system.open_files->left() < 64) {
    found.push_back({severity::warning, "open-files",
                     std::to_string(system.open_files->used) + " of " + std::to_string(system.open_files->limit) +
                         " file descriptors are in use",
                     "Raise the limit (ulimit -n), or close files before making an invoker."});
  }
  if (system.address_space) {
    found.push_back({severity::note, "address-space",
                     "the address space is limited to " + in_gib(*system.address_space) + " (ulimit -v)",
                     "Limit memory by a control group instead: address space is not memory, and a model and the rings "
                     "of the workers count in it."});
  }
}

/// Where the core file of a crashing worker would go.
inline void judge_core_files(const system_facts& system, bool workers_may, findings& found) {
  const bool is_piped = system.core_pattern.starts_with('|');
  const std::string place = system.core_pattern.empty() ? "nowhere"
                            : is_piped                  ? "to the program " + system.core_pattern.substr(1)
                                                        : "to the file " + system.core_pattern;
  if (!workers_may) {
    found.push_back({severity::note, "core-files",
                     "workers that crash write no core file, since a large model would take minutes; the system sends "
                     "cores " +
                         place,
                     "Set LK_CORE=1 to get one while you look for a bug."});
  } else if (system.core_file_size == 0 && !is_piped) {
    found.push_back({severity::warning, "core-files",
                     "LK_CORE is 1, but the limit of core files is 0, so that none is written",
                     "Raise the limit (ulimit -c unlimited), or unset LK_CORE."});
  } else {
    found.push_back({severity::note, "core-files",
                     "LK_CORE is 1: a worker that crashes sends all its memory, the model included, " + place,
                     "Unset LK_CORE for unattended jobs: the news of the crash waits until the core is written."});
  }
}

/// Devices whose drivers do not follow a fork.
inline void judge_devices(const system_facts& system, findings& found) {
  for (const std::string& device : system.devices) {
    if (device == "/dev/kfd") {
      found.push_back({severity::warning, "rocm", "a GPU is in use by ROCm (/dev/kfd is open)",
                       "Make the invoker before the first call to the GPU; what runs in workers cannot use a GPU that "
                       "the host has opened."});
    } else if (device.starts_with("/dev/infiniband/uverbs")) {
      found.push_back({severity::note, "rdma", "memory may be registered with an RDMA adapter (" + device + " is open)",
                       "Set RDMAV_FORK_SAFE=1 on kernels before 5.12, or the host may lose what the adapter writes "
                       "after a fork."});
      return;
    }
  }
}

} // namespace lk::parallel::config
