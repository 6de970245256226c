// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

#include <hwloc.h>

#include <lk/parallel/config/cgroup.hpp>

// How many CPUs this process may really use. Only this room knows hwloc.

namespace lk::parallel::config {

struct topology_deleter {
  void operator()(hwloc_topology* topology) const { hwloc_topology_destroy(topology); }
};
struct bitmap_deleter {
  void operator()(hwloc_bitmap_s* bitmap) const { hwloc_bitmap_free(bitmap); }
};
using topology_ptr = std::unique_ptr<hwloc_topology, topology_deleter>;
using bitmap_ptr = std::unique_ptr<hwloc_bitmap_s, bitmap_deleter>;

/// The machine with as few details as hwloc can be asked for; empty where it cannot be read.
inline topology_ptr load_smallest_topology() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return nullptr;
  topology_ptr topology(raw);
  hwloc_topology_set_all_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_NONE);
  if (hwloc_topology_load(raw) != 0) return nullptr;
  return topology;
}

/// Size of the calling thread's affinity mask (which respects cpusets); nothing where hwloc cannot tell.
inline std::optional<int> affinity_cpu_count() {
  const topology_ptr topology = load_smallest_topology();
  const bitmap_ptr mask(hwloc_bitmap_alloc());
  if (!topology || !mask) return std::nullopt;
  if (hwloc_get_cpubind(topology.get(), mask.get(), HWLOC_CPUBIND_THREAD) != 0) return std::nullopt;
  const int n = hwloc_bitmap_weight(mask.get());
  return n > 0 ? std::optional(n) : std::nullopt;
}

/// The least of the limits that there are, at least 1.
constexpr int combine_cpu_limits(std::optional<int> affinity, std::optional<int> quota, int hardware) {
  return std::max(std::min(affinity.value_or(hardware), quota.value_or(affinity.value_or(hardware))), 1);
}

/// CPUs this process may use now: affinity mask and cgroup quotas, at least 1.
inline int effective_cpu_count_now() {
  return combine_cpu_limits(affinity_cpu_count(), cgroup_cpu_limit(""),
                            static_cast<int>(std::thread::hardware_concurrency()));
}

} // namespace lk::parallel::config
