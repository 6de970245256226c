// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <lk/parallel/base/affinity.hpp>

// Which CPUs a worker and its threads get: the four ways to choose, and what was chosen. How it is chosen is in
// place_workers.hpp, which alone needs hwloc.

namespace lk::parallel {

/// Where workers and their threads may run. All but `none` give every thread a CPU (hardware thread) of its own.
enum class placement {
  none,    ///< anywhere that the host may: the kernel's scheduler decides
  spread,  ///< workers as far apart as the machine allows, threads on cores of their own before two share one
  compact, ///< workers side by side: hardware threads, cores, caches and packages fill up in order
  numa,    ///< workers dealt to the NUMA nodes in turn, none across two; its memory comes from its node
};

/// The word that LK_BIND has for it.
constexpr const char* to_string(placement mode) noexcept {
  switch (mode) {
  case placement::none:
    return "none";
  case placement::spread:
    return "spread";
  case placement::compact:
    return "compact";
  case placement::numa:
    return "numa";
  }
  return "unknown";
}

namespace config {

inline std::optional<placement> placement_called(std::string_view word) {
  for (const placement mode : {placement::none, placement::spread, placement::compact, placement::numa})
    if (word == to_string(mode)) return mode;
  return std::nullopt;
}

/// The CPUs of one worker.
struct worker_place {
  base::cpu_list cpus = {};                 ///< all of them
  std::vector<base::cpu_list> threads = {}; ///< of each of its threads; empty where their number is left to libraries
  bool own_memory = false;                  ///< an inherited memory policy gives way to the worker's own NUMA node
};

/// Binds the calling thread, and so the threads that it makes, to the worker's CPUs. To be called before the worker
/// touches memory. False where the kernel refuses.
inline bool take_place(const worker_place& place) {
  if (place.own_memory) base::touch_memory_locally();
  return base::set_affinity_of(0, place.cpus);
}

} // namespace config
} // namespace lk::parallel
