// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <sstream>
#include <string>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/config/cgroup.hpp>

// How often the kernel has killed a process because memory ran out: what tells such a death from a kill -9 by hand.
// Source: Documentation/admin-guide/cgroup-v2.rst ("memory.events"), cgroup-v1/memory.rst ("memory.oom_control"),
// proc(5) ("/proc/vmstat").

namespace lk::parallel::config {

/// The number behind "oom_kill" in a file of names and numbers.
inline std::optional<std::uint64_t> read_oom_kills(const std::string& path) {
  std::istringstream words(base::read_small_file(path).value_or(""));
  std::string name;
  for (std::uint64_t value = 0; words >> name >> value;)
    if (name == "oom_kill") return value;
  return std::nullopt;
}

/// Of processes of this one's memory cgroup so far; where that does not tell, of all processes of the machine; 0 where
/// nothing tells. `root` comes before every path ("" on a real system).
inline std::uint64_t count_oom_kills(const std::string& root) {
  const std::string mounts = base::read_small_file(root + "/proc/self/mountinfo").value_or("");
  const std::string groups = base::read_small_file(root + "/proc/self/cgroup").value_or("");
  for (const cgroup_mount& mount : find_cgroup_mounts(mounts, "memory")) {
    const std::optional<std::string> group = find_own_group(groups, mount.unified, "memory");
    if (!group) continue;
    const std::string folder = root + mount.mounted_at + path_below_mount(*group, mount.root);
    const auto kills = read_oom_kills(folder + (mount.unified ? "/memory.events" : "/memory.oom_control"));
    if (kills) return *kills;
  }
  return read_oom_kills(root + "/proc/vmstat").value_or(0);
}

} // namespace lk::parallel::config
