// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <vector>

// Which CPUs a thread may run on, and which memory it gets. Plain numbers, so that no other room needs cpu_set_t or
// hwloc. Source: sched_setaffinity(2), set_mempolicy(2).

namespace lk::parallel::base {

/// CPUs by the numbers that the kernel gives them, ascending.
using cpu_list = std::vector<int>;

namespace affinity_parts {

struct free_set {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};
using set_ptr = std::unique_ptr<cpu_set_t, free_set>;

} // namespace affinity_parts

/// The mask of a thread of this process (0: the calling one); empty where the kernel does not tell.
inline cpu_list affinity_of(pid_t thread) {
  constexpr std::size_t most_cpus = std::size_t{1} << 18;
  for (std::size_t n_cpus = 1024; n_cpus <= most_cpus; n_cpus *= 2) { // the kernel refuses a set smaller than its own
    const affinity_parts::set_ptr set(CPU_ALLOC(n_cpus));
    const std::size_t size = CPU_ALLOC_SIZE(n_cpus);
    if (!set || ::sched_getaffinity(thread, size, set.get()) != 0) continue;
    cpu_list cpus;
    for (std::size_t cpu = 0; cpu < n_cpus; ++cpu)
      if (CPU_ISSET_S(cpu, size, set.get())) cpus.push_back(static_cast<int>(cpu));
    return cpus;
  }
  return {};
}

/// False where the kernel refuses, for instance because the cpuset of the process has none of these CPUs any more.
inline bool set_affinity_of(pid_t thread, const cpu_list& cpus) {
  if (cpus.empty()) return false;
  const auto n_cpus = static_cast<std::size_t>(cpus.back()) + 1;
  const affinity_parts::set_ptr set(CPU_ALLOC(n_cpus));
  if (!set) return false;
  const std::size_t size = CPU_ALLOC_SIZE(n_cpus);
  CPU_ZERO_S(size, set.get());
  for (const int cpu : cpus) CPU_SET_S(static_cast<std::size_t>(cpu), size, set.get());
  return ::sched_setaffinity(thread, size, set.get()) == 0;
}

/// From here on the calling thread, and threads that it makes, get memory from the NUMA node of the CPU that touches it
/// first, whatever policy was inherited (numactl --interleave). A sandbox that forbids the call leaves things as they
/// are.
inline void touch_memory_locally() noexcept {
  constexpr int default_policy = 0; // MPOL_DEFAULT; its header belongs to libnuma
  ::syscall(SYS_set_mempolicy, default_policy, nullptr, 0UL);
}

} // namespace lk::parallel::base
