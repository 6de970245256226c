// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <lk/parallel/base/posix.hpp>

// CPU quotas of control groups, versions 1 and 2, also both at once. topology.hpp combines them with the affinity mask;
// the tests hand in made-up trees, so every path starts at a given root.
// Source: cgroups(7), proc(5), Documentation/admin-guide/cgroup-v2.rst ("cpu.max"), scheduler/sched-bwc.rst.

namespace lk::parallel::config {

/// A mounted hierarchy with the controller that is asked for, and where this process is in it.
struct cgroup_mount {
  bool unified = false;   ///< version 2
  std::string root;       ///< the group that is seen at the mount point
  std::string mounted_at; ///< the mount point
};

inline bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == word) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

/// Blanks and backslashes in paths of /proc/self/mountinfo are written as \040 and the like.
inline std::string unescape_mount_path(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int code = 0;
    if (text[i] == '\\' && text.size() - i > 3 &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ptr == text.data() + i + 4) {
      path += static_cast<char>(code);
      i += 3;
    } else {
      path += text[i];
    }
  }
  return path;
}

/// The hierarchies with that controller ("cpu", "memory") among the lines of a mountinfo file.
inline std::vector<cgroup_mount> find_cgroup_mounts(const std::string& mountinfo, std::string_view controller) {
  std::vector<cgroup_mount> found;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash)), after(line.substr(dash + 3));
    std::string id, parent, device, root, point, type, source, options;
    before >> id >> parent >> device >> root >> point;
    after >> type >> source >> options;
    if (type != "cgroup2" && (type != "cgroup" || !has_word(options, controller))) continue;
    found.push_back({type == "cgroup2", unescape_mount_path(root), unescape_mount_path(point)});
  }
  return found;
}

/// This process's group in a hierarchy, from the lines of /proc/self/cgroup ("id:controllers:path").
inline std::optional<std::string> find_own_group(const std::string& proc_self_cgroup, bool unified,
                                                 std::string_view controller) {
  std::istringstream lines(proc_self_cgroup);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    if (unified ? controllers.empty() : has_word(controllers, controller)) return line.substr(second + 1);
  }
  return std::nullopt;
}

/// CPUs that quota / period pays for; nothing where the texts are no positive numbers ("max", -1, empty).
inline std::optional<double> quota_in_cpus(const std::optional<std::string>& quota,
                                           const std::optional<std::string>& period) {
  const auto number = [](const std::optional<std::string>& text) {
    long long value = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), value);
    return value;
  };
  const long long q = number(quota), p = number(period);
  if (q <= 0 || p <= 0) return std::nullopt;
  return static_cast<double>(q) / static_cast<double>(p);
}

/// The quota set on one group itself.
inline std::optional<double> quota_of_group(const std::string& folder, bool unified) {
  if (!unified) {
    return quota_in_cpus(base::read_small_file(folder + "/cpu.cfs_quota_us"),
                         base::read_small_file(folder + "/cpu.cfs_period_us"));
  }
  const std::optional<std::string> text = base::read_small_file(folder + "/cpu.max");
  if (!text) return std::nullopt;
  std::istringstream words(*text);
  std::string quota, period;
  words >> quota >> period;
  return quota_in_cpus(quota, period);
}

/// The group's path below the mount point, "" for the mount point itself. A container may see only its own group there
/// while /proc names the host's whole path; a group outside of what is mounted counts as the mount point.
inline std::string path_below_mount(const std::string& group, const std::string& mount_root) {
  const std::string root = mount_root == "/" ? "" : mount_root;
  const bool below = group.starts_with(root) && (group.size() == root.size() || group[root.size()] == '/');
  if (!below || group.find("/..") != std::string::npos) return "";
  const std::string path = group.substr(root.size());
  return path == "/" ? "" : path;
}

/// A folder of a hierarchy's control files.
struct cgroup_folder {
  std::string path;
  bool unified = false; ///< version 2
};

/// The folders of this process's group and all its ancestors up to the mount point, the own one first, in every
/// hierarchy with that controller. `root` comes before every path ("" on a real system).
inline std::vector<cgroup_folder> find_own_folders(const std::string& root, std::string_view controller) {
  const std::string mounts = base::read_small_file(root + "/proc/self/mountinfo").value_or("");
  const std::string groups = base::read_small_file(root + "/proc/self/cgroup").value_or("");
  std::vector<cgroup_folder> folders;
  for (const cgroup_mount& mount : find_cgroup_mounts(mounts, controller)) {
    const std::optional<std::string> group = find_own_group(groups, mount.unified, controller);
    if (!group) continue;
    std::string path = path_below_mount(*group, mount.root);
    while (true) {
      folders.push_back({root + mount.mounted_at + path, mount.unified});
      if (path.empty()) break;
      path.erase(path.rfind('/'));
    }
  }
  return folders;
}

/// CPUs that the quotas of this process's groups and all their ancestors pay for: the least of them, rounded up, at
/// least 1; nothing where there is no quota. `root` comes before every path ("" on a real system).
inline std::optional<int> cgroup_cpu_limit(const std::string& root) {
  std::optional<double> least;
  for (const cgroup_folder& folder : find_own_folders(root, "cpu")) {
    const auto quota = quota_of_group(folder.path, folder.unified);
    if (quota) least = std::min(least.value_or(*quota), *quota);
  }
  if (!least) return std::nullopt;
  return static_cast<int>(std::clamp(std::ceil(*least), 1.0, 1e6));
}

} // namespace lk::parallel::config
