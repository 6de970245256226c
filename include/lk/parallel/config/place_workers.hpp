// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <hwloc.h>

#include <lk/parallel/base/affinity.hpp>
#include <lk/parallel/base/error.hpp>
#include <lk/parallel/config/cpu_pool.hpp>
#include <lk/parallel/config/placement.hpp>
#include <lk/parallel/config/topology.hpp>

// From a topology, the CPUs that may be used and the numbers asked for to the CPUs of each worker and thread: a pure
// function. The guide's page on threads shows what the modes choose.

namespace lk::parallel::config {

struct placement_request {
  placement mode = placement::none;
  int n_workers = 1;
  int threads_each = 1; ///< -1: as many as libraries like; the workers share all CPUs then
  std::string asked_by = "invoker_options::placement"; ///< option or variable, for the error
};

namespace placing {

using cpus = base::cpu_list;

inline std::string plural(std::size_t n, const char* what) {
  return std::to_string(n) + ' ' + what + (n == 1 ? "" : "s");
}

[[noreturn, gnu::cold]] inline void refuse(const placement_request& asked, const std::string& facts) {
  const auto n = static_cast<std::size_t>(asked.n_workers);
  std::string wish = plural(n, "worker");
  if (asked.threads_each > 1) wish += " with " + std::to_string(asked.threads_each) + " threads each";
  throw config_error(asked.asked_by, to_string(asked.mode),
                     wish + ' ' + (n == 1 ? "needs " : "need ") + facts +
                         "; use fewer workers (n_jobs, LK_NUM_PROCS), fewer threads in each (LK_NUM_CHILD_THREADS), "
                         "a wider affinity mask, or placement none");
}

/// Consecutive parts of equal length; the first ones are longer by one where it does not come out even.
inline std::vector<cpus> cut(const cpus& whole, std::size_t n) {
  std::vector<cpus> parts;
  auto next = whole.begin();
  for (std::size_t i = 0; i < n; ++i) {
    const auto end = next + static_cast<std::ptrdiff_t>(whole.size() / n + (i < whole.size() % n ? 1 : 0));
    parts.emplace_back(next, end);
    next = end;
  }
  return parts;
}

/// A part of the machine for each worker, and its threads far apart in there; empty where a part is too small.
inline std::vector<cpus> spread_whole_workers(const cpu_pool& pool, std::size_t n, std::size_t n_threads) {
  const cpu_pool cores = pool.part(pool.of_each_core(pool.share_of_cores(n * n_threads)));
  std::vector<cpus> chosen;
  for (const cpus& share : cores.distribute(n)) {
    if (share.size() < n_threads) return {};
    chosen.push_back(cores.part(share).pick(n_threads));
  }
  return chosen;
}

/// The threads of n workers far apart. Each worker stays in a part of the machine of its own, unless that would leave
/// a core idle while another has two threads.
inline std::vector<cpus> spread(const cpu_pool& pool, std::size_t n, std::size_t n_threads) {
  std::vector<cpus> chosen = spread_whole_workers(pool, n, n_threads);
  cpus all;
  for (const cpus& worker : chosen) all.insert(all.end(), worker.begin(), worker.end());
  const std::size_t n_cores = pool.of_each_core(1).size();
  if (pool.part(all).of_each_core(1).size() == std::min(n_cores, n * n_threads)) return chosen;
  return cut(pool.part(pool.pick(n * n_threads)).in_order(), n);
}

inline std::vector<cpus> compact(const cpu_pool& pool, std::size_t n, std::size_t n_threads) {
  cpus first = pool.in_order();
  first.resize(n * n_threads);
  return cut(first, n);
}

/// How many workers each node gets: one after another, each to the next node that has room for a whole one.
/// Throws: config_error where they do not fit.
inline std::vector<std::size_t> deal(const std::vector<cpus>& nodes, const placement_request& asked) {
  const auto n_threads = static_cast<std::size_t>(std::max(asked.threads_each, 1));
  std::vector<std::size_t> dealt(nodes.size(), 0);
  std::size_t room = 0, largest = 0;
  for (const cpus& node : nodes) {
    room += node.size() / n_threads;
    largest = std::max(largest, node.size());
  }
  const auto n = static_cast<std::size_t>(asked.n_workers);
  if (n_threads > largest)
    refuse(asked, "a NUMA node with " + plural(n_threads, "CPU") + ", and the largest has " + std::to_string(largest) +
                      " that may be used");
  if (n > room)
    refuse(asked, "NUMA nodes with room for that, and the " + plural(nodes.size(), "node") + " that may be used " +
                      (nodes.size() == 1 ? "has" : "have") + " room for " + plural(room, "whole worker"));
  for (std::size_t left = n; left > 0;)
    for (std::size_t node = 0; node < nodes.size() && left > 0; ++node)
      if ((dealt[node] + 1) * n_threads <= nodes[node].size()) {
        ++dealt[node];
        --left;
      }
  return dealt;
}

/// Calls choose(pool of the node, workers there) for each node and hands the parts out in the order of dealing.
template <class Choose> std::vector<cpus> by_node(const cpu_pool& pool, const placement_request& asked, Choose choose) {
  const std::vector<cpus> nodes = pool.nodes();
  const std::vector<std::size_t> dealt = deal(nodes, asked);
  std::vector<std::vector<cpus>> of_node; // one for each; filled by push_back, since GCC 13 warns of an assignment here
  for (std::size_t node = 0; node < nodes.size(); ++node)
    of_node.push_back(dealt[node] > 0 ? choose(pool.part(nodes[node]), dealt[node]) : std::vector<cpus>());
  std::vector<cpus> all;
  for (std::size_t round = 0; all.size() < static_cast<std::size_t>(asked.n_workers); ++round)
    for (const std::vector<cpus>& workers : of_node)
      if (round < workers.size()) all.push_back(workers[round]);
  return all;
}

/// Of each worker, its CPUs in the order of its threads; all CPUs in fair shares where threads_each is -1.
inline std::vector<cpus> choose(const cpu_pool& pool, const placement_request& asked) {
  const auto n = static_cast<std::size_t>(asked.n_workers);
  if (asked.threads_each < 1) {
    if (asked.mode == placement::numa)
      return by_node(pool, asked, [](const cpu_pool& node, std::size_t m) { return node.distribute(m); });
    return asked.mode == placement::compact ? cut(pool.in_order(), n) : pool.distribute(n);
  }
  const auto n_threads = static_cast<std::size_t>(asked.threads_each);
  if (asked.mode == placement::compact) return compact(pool, n, n_threads);
  if (asked.mode == placement::spread) return spread(pool, n, n_threads);
  return by_node(pool, asked, [=](const cpu_pool& node, std::size_t m) { return spread(node, m, n_threads); });
}

} // namespace placing

/// A place for each worker, none for placement::none. No CPU is in two of them, all are among `allowed`, and with
/// threads_each >= 1 each thread has one CPU.
/// Throws: config_error where there are too few CPUs; resource_error.
inline std::vector<worker_place> place_workers(hwloc_topology* machine, const base::cpu_list& allowed,
                                               const placement_request& asked) {
  if (asked.mode == placement::none) return {};
  const cpu_pool pool(machine, allowed);
  const std::size_t needed =
      static_cast<std::size_t>(asked.n_workers) * static_cast<std::size_t>(std::max(asked.threads_each, 1));
  if (needed > pool.size())
    placing::refuse(asked, placing::plural(needed, "CPU") + ", and the affinity mask of this thread has " +
                               std::to_string(pool.size()));
  std::vector<worker_place> places;
  for (placing::cpus& chosen : placing::choose(pool, asked)) {
    worker_place place{.own_memory = asked.mode == placement::numa};
    if (asked.threads_each >= 1)
      for (const int cpu : chosen) place.threads.push_back({cpu});
    std::sort(chosen.begin(), chosen.end());
    place.cpus = std::move(chosen);
    places.push_back(std::move(place));
  }
  return places;
}

/// The same for this machine and the affinity mask of the calling thread (which respects cpusets).
/// Throws: config_error, resource_error.
inline std::vector<worker_place> place_workers_here(const placement_request& asked) {
  if (asked.mode == placement::none) return {};
  // Read once, since hwloc visits every CPU for it; with those that a cpuset may give to this process later.
  static const topology_ptr machine = [] {
    hwloc_topology_t raw = nullptr;
    topology_ptr made(hwloc_topology_init(&raw) == 0 ? raw : nullptr);
    if (!made || hwloc_topology_set_flags(raw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) != 0 ||
        hwloc_topology_load(raw) != 0)
      throw resource_error("hwloc_topology_load", ENOMEM, "leave the placement out (LK_BIND=none)");
    return made;
  }();
  return place_workers(machine.get(), base::affinity_of(0), asked);
}

} // namespace lk::parallel::config
