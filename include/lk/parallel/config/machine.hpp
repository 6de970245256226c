// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/config/facts.hpp>
#include <lk/parallel/config/topology.hpp>

// The machine as diagnose() tells of it: how many CPUs each limit leaves, and how they are built. Nothing in the
// library is decided by it.

namespace lk::parallel::config {

/// The number of CPUs in a list such as "0-3,8,10-11"; nothing where it is none.
inline std::optional<int> count_cpu_list(std::string_view list) {
  int n = 0;
  const auto take = [&](int& number) {
    const auto [stop, problem] = std::from_chars(list.data(), list.data() + list.size(), number);
    if (problem != std::errc{} || number < 0) return false;
    list.remove_prefix(static_cast<std::size_t>(stop - list.data()));
    return true;
  };
  while (!list.empty() && list.front() != '\n') {
    int first = 0, last = 0;
    if (!take(first)) return std::nullopt;
    last = first;
    if (list.starts_with('-')) {
      list.remove_prefix(1);
      if (!take(last) || last < first) return std::nullopt;
    }
    n += last - first + 1;
    if (!list.empty() && list.front() == ',') list.remove_prefix(1);
  }
  return n > 0 ? std::optional(n) : std::nullopt;
}

/// CPUs online in the machine. `root` comes before every path ("" on a real system).
inline int online_cpu_count(const std::string& root) {
  const auto list = base::read_small_file(root + "/sys/devices/system/cpu/online");
  const auto n = list ? count_cpu_list(*list) : std::nullopt;
  return n.value_or(std::max(static_cast<int>(std::thread::hardware_concurrency()), 1));
}

inline cpu_counts count_cpus(const std::string& root) {
  const int machine = online_cpu_count(root);
  const auto affinity = affinity_cpu_count();
  const auto quota = cgroup_cpu_limit(root);
  return {machine, affinity, quota, combine_cpu_limits(affinity, quota, machine)};
}

/// What a loaded hwloc topology says.
inline machine_topology describe_topology(hwloc_topology* topology) {
  machine_topology machine;
  const auto count = [&](hwloc_obj_type_t type) { return std::max(hwloc_get_nbobjs_by_type(topology, type), 0); };
  machine.packages = count(HWLOC_OBJ_PACKAGE);
  machine.cores = count(HWLOC_OBJ_CORE);
  machine.processing_units = count(HWLOC_OBJ_PU);
  const hwloc_obj_t package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
  for (const hwloc_obj_t each : {package, hwloc_get_root_obj(topology)}) {
    const char* const model = each != nullptr ? hwloc_obj_get_info_by_name(each, "CPUModel") : nullptr;
    if (model == nullptr) continue;
    std::istringstream words{model}; // with the runs of blanks that vendors like made one
    for (std::string word; words >> word;) machine.cpu_model += (machine.cpu_model.empty() ? "" : " ") + word;
    break;
  }
  hwloc_obj_t node = nullptr;
  while ((node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != nullptr) {
    machine.nodes.push_back({static_cast<int>(node->os_index), node->attr->numanode.local_memory,
                             std::max(hwloc_bitmap_weight(node->cpuset), 0)});
  }
  return machine;
}

/// The machine this runs on. Blocks: some milliseconds, for hwloc to read it.
inline machine_topology read_topology() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return {};
  const topology_ptr topology(raw);
  hwloc_topology_set_flags(raw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  if (hwloc_topology_load(raw) != 0) return {};
  return describe_topology(raw);
}

} // namespace lk::parallel::config
