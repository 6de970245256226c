// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <map>
#include <vector>

#include <hwloc.h>

#include <lk/parallel/base/affinity.hpp>
#include <lk/parallel/base/error.hpp>
#include <lk/parallel/config/topology.hpp>

// A set of CPUs with its place in the machine, and the ways to choose some of them. place_workers is built on it.

namespace lk::parallel::config {

/// A set of CPUs in a topology that was restricted to it, and the choices that can be made there.
class cpu_pool {
 public:
  using cpus = base::cpu_list;

  /// The part of the topology that these CPUs are; those that it does not have are left out.
  /// Throws: resource_error.
  cpu_pool(hwloc_topology* whole, const cpus& wanted) {
    const bitmap_ptr kept = bitmap_of(wanted);
    hwloc_bitmap_and(kept.get(), kept.get(), hwloc_topology_get_topology_cpuset(whole));
    if (hwloc_bitmap_iszero(kept.get())) return;
    hwloc_topology_t copy = nullptr;
    if (hwloc_topology_dup(&copy, whole) != 0) refuse("hwloc_topology_dup");
    topology_.reset(copy);
    if (hwloc_topology_restrict(copy, kept.get(), 0) != 0) refuse("hwloc_topology_restrict");
  }

  std::size_t size() const { return topology_ ? count(HWLOC_OBJ_PU) : 0; }

  /// In the order of the machine: neighbours share most.
  cpus in_order() const {
    cpus found;
    for (std::size_t i = 0; i < size(); ++i) found.push_back(static_cast<int>(object(HWLOC_OBJ_PU, i)->os_index));
    return found;
  }

  cpu_pool part(const cpus& wanted) const { return cpu_pool(topology_.get(), wanted); }

  /// n parts, none of which shares a CPU with another, as far apart as can be. n is at most size().
  std::vector<cpus> distribute(std::size_t n) const {
    if (n == 0) return {};
    std::vector<hwloc_bitmap_t> raw(n);
    hwloc_obj_t root = hwloc_get_root_obj(topology_.get());
    if (hwloc_distrib(topology_.get(), &root, 1, raw.data(), static_cast<unsigned>(n), INT_MAX, 0) != 0)
      refuse("hwloc_distrib");
    std::vector<cpus> parts;
    for (const hwloc_bitmap_t set : raw) {
      const bitmap_ptr owned(set);
      parts.push_back(owned ? list_of(owned.get()) : cpus());
    }
    if (std::any_of(parts.begin(), parts.end(), [](const cpus& one) { return one.empty(); }))
      refuse("hwloc_bitmap_dup");
    return parts;
  }

  /// The first `n_each` hardware threads of each core.
  cpus of_each_core(int n_each) const {
    cpus found;
    std::map<hwloc_obj_t, int> seen;
    for (std::size_t i = 0; i < size(); ++i) {
      const hwloc_obj_t cpu = object(HWLOC_OBJ_PU, i);
      const hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology_.get(), HWLOC_OBJ_CORE, cpu);
      if (seen[core != nullptr ? core : cpu]++ < n_each) found.push_back(static_cast<int>(cpu->os_index));
    }
    return found;
  }

  /// How many hardware threads of a core are needed so that all cores together have n. n is at most size().
  int share_of_cores(std::size_t n) const {
    int n_each = 1;
    while (of_each_core(n_each).size() < n) ++n_each;
    return n_each;
  }

  /// n CPUs far apart: no core is used twice before all are used once, and so on. n is at most size().
  cpus pick(std::size_t n) const {
    const int n_each = share_of_cores(n);
    cpus picked = n_each > 1 ? of_each_core(n_each - 1) : cpus();
    cpus more;
    for (const int cpu : of_each_core(n_each))
      if (std::find(picked.begin(), picked.end(), cpu) == picked.end()) more.push_back(cpu);
    for (const cpus& one : part(more).distribute(n - picked.size())) picked.push_back(one.front());
    return picked;
  }

  /// The CPUs of each NUMA node that has any. Nodes that share CPUs with an earlier one (slow or fast memory next to
  /// the usual) are left out.
  std::vector<cpus> nodes() const {
    std::vector<cpus> found;
    const bitmap_ptr seen(hwloc_bitmap_alloc());
    for (std::size_t i = 0; i < count(HWLOC_OBJ_NUMANODE); ++i) {
      const hwloc_obj_t node = object(HWLOC_OBJ_NUMANODE, i);
      if (hwloc_bitmap_iszero(node->cpuset) || hwloc_bitmap_intersects(seen.get(), node->cpuset)) continue;
      hwloc_bitmap_or(seen.get(), seen.get(), node->cpuset);
      found.push_back(list_of(node->cpuset));
    }
    return found;
  }

 private:
  [[noreturn]] static void refuse(const char* call) {
    throw resource_error(call, ENOMEM, "free memory, or leave the placement out (LK_BIND=none)");
  }

  std::size_t count(hwloc_obj_type_t type) const {
    return static_cast<std::size_t>(std::max(hwloc_get_nbobjs_by_type(topology_.get(), type), 0));
  }
  hwloc_obj_t object(hwloc_obj_type_t type, std::size_t idx) const {
    return hwloc_get_obj_by_type(topology_.get(), type, static_cast<unsigned>(idx));
  }

  static bitmap_ptr bitmap_of(const cpus& wanted) {
    bitmap_ptr set(hwloc_bitmap_alloc());
    if (!set) refuse("hwloc_bitmap_alloc");
    for (const int cpu : wanted) hwloc_bitmap_set(set.get(), static_cast<unsigned>(cpu));
    return set;
  }
  static cpus list_of(hwloc_const_bitmap_t set) {
    cpus found;
    for (int cpu = hwloc_bitmap_first(set); cpu >= 0; cpu = hwloc_bitmap_next(set, cpu)) found.push_back(cpu);
    return found;
  }

  topology_ptr topology_; // empty where there is no CPU
};

} // namespace lk::parallel::config
