// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/config/cgroup.hpp>
#include <lk/parallel/config/facts.hpp>

// What the system and this process's place in it mean for a job that forks. Only read here; findings.hpp judges. Every
// path starts at a given root, so that the tests hand in made-up machines.
// Source: proc(5), core(5), cgroups(7), Documentation/admin-guide/cgroup-v2.rst, mm/transhuge.rst, sysctl/vm.rst.

namespace lk::parallel::config {

/// A number, alone or followed by a blank; nothing for "max" and "unlimited".
inline std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool ends = stop == text.data() + text.size() || *stop == '\n' || *stop == ' ' || *stop == '\t';
  return problem == std::errc{} && ends ? std::optional(value) : std::nullopt;
}

inline std::optional<std::uint64_t> read_number(const std::string& path) {
  const auto text = base::read_small_file(path);
  return text ? parse_number(*text) : std::nullopt;
}

/// What stands in the line that starts with `name`, without the blanks before it.
inline std::optional<std::string> find_line(const std::string& text, std::string_view name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    return line.substr(std::min(line.find_first_not_of(" \t", name.size()), line.size()));
  }
  return std::nullopt;
}

inline std::string first_line(const std::string& path) {
  const std::string text = base::read_small_file(path).value_or("");
  return text.substr(0, text.find('\n'));
}

/// The soft limit in the lines of /proc/self/limits; nothing where there is none.
inline std::optional<std::uint64_t> find_soft_limit(const std::string& limits, std::string_view name) {
  const auto line = find_line(limits, name);
  return line ? parse_number(*line) : std::nullopt;
}

/// "[madvise]" of "always [madvise] never", without the brackets.
inline std::string chosen_word(const std::string& choices) {
  const std::size_t from = choices.find('['), to = choices.find(']');
  return from == std::string::npos || to == std::string::npos || to < from ? ""
                                                                           : choices.substr(from + 1, to - from - 1);
}

/// The one with the least left, relative to its limit.
inline std::optional<usage> tighter(std::optional<usage> a, std::optional<usage> b) {
  if (!a || !b) return a ? a : b;
  const auto share = [](const usage& u) { return static_cast<double>(u.left()) / static_cast<double>(u.limit + 1); };
  return share(*b) < share(*a) ? b : a;
}

/// Memory in use is what would have to be swapped out: page cache that is not in use does not count.
inline std::optional<usage> memory_of_group(const cgroup_folder& folder) {
  constexpr std::uint64_t no_limit = std::uint64_t{1} << 60; // version 1 writes a number near 2^63
  const auto limit = read_number(folder.path + (folder.unified ? "/memory.max" : "/memory.limit_in_bytes"));
  const auto used = read_number(folder.path + (folder.unified ? "/memory.current" : "/memory.usage_in_bytes"));
  if (!limit || !used || *limit >= no_limit) return std::nullopt;
  const std::string stat = base::read_small_file(folder.path + "/memory.stat").value_or("");
  const auto idle_line = find_line(stat, folder.unified ? "inactive_file " : "total_inactive_file ");
  const std::uint64_t idle = idle_line ? parse_number(*idle_line).value_or(0) : 0;
  return usage{*used - std::min(idle, *used), *limit};
}

inline void read_cgroups(const std::string& root, system_facts& facts) {
  for (const cgroup_folder& folder : find_own_folders(root, "memory")) {
    facts.memory = tighter(facts.memory, memory_of_group(folder));
    if (folder.unified && read_number(folder.path + "/memory.oom.group") == 1) facts.oom_kills_group = true;
  }
  for (const cgroup_folder& folder : find_own_folders(root, "pids")) {
    const auto limit = read_number(folder.path + "/pids.max"), used = read_number(folder.path + "/pids.current");
    if (limit && used) facts.cgroup_tasks = tighter(facts.cgroup_tasks, usage{*used, *limit});
  }
}

/// The names in a folder, without those that start with a dot.
inline std::vector<std::string> list_folder(const std::string& path) {
  std::vector<std::string> names;
  DIR* const listing = ::opendir(path.c_str());
  if (listing == nullptr) return names;
  while (const dirent* entry = ::readdir(listing))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  ::closedir(listing);
  return names;
}

/// Threads of all processes of that user.
inline std::uint64_t count_tasks_of_user(const std::string& root, const std::string& uid) {
  std::uint64_t n = 0;
  for (const std::string& pid : list_folder(root + "/proc")) {
    if (!parse_number(pid)) continue;
    const std::string status = base::read_small_file(root + "/proc/" + pid + "/status").value_or("");
    const auto owner = find_line(status, "Uid:"), threads = find_line(status, "Threads:");
    if (owner && threads && owner->substr(0, owner->find('\t')) == uid) n += parse_number(*threads).value_or(0);
  }
  return n;
}

inline std::uint64_t parse_mask(const std::string& hexadecimal) {
  std::uint64_t mask = 0;
  std::from_chars(hexadecimal.data(), hexadecimal.data() + hexadecimal.size(), mask, 16);
  return mask;
}

inline void read_process(const std::string& root, system_facts& facts) {
  const std::string status = base::read_small_file(root + "/proc/self/status").value_or("");
  const std::string limits = base::read_small_file(root + "/proc/self/limits").value_or("");
  const auto has_bit = [&](const char* line, int bit) {
    return (parse_mask(find_line(status, line).value_or("")) >> bit & 1) != 0;
  };
  facts.ignores_sigchld = has_bit("SigIgn:", SIGCHLD - 1);
  facts.handles_sigchld = has_bit("SigCgt:", SIGCHLD - 1);
  facts.address_space = find_soft_limit(limits, "Max address space");
  facts.core_file_size = find_soft_limit(limits, "Max core file size");
  constexpr int cap_sys_admin = 21, cap_sys_resource = 24; // whoever has one may pass RLIMIT_NPROC (setrlimit(2))
  const auto most_tasks = find_soft_limit(limits, "Max processes");
  const std::string owner = find_line(status, "Uid:").value_or("");
  const std::string uid = owner.substr(0, owner.find('\t'));
  if (most_tasks && uid != "0" && !has_bit("CapEff:", cap_sys_admin) && !has_bit("CapEff:", cap_sys_resource))
    facts.user_tasks = usage{count_tasks_of_user(root, uid), *most_tasks};
  const std::vector<std::string> open_now = list_folder(root + "/proc/self/fd");
  if (const auto most_files = find_soft_limit(limits, "Max open files"))
    facts.open_files = usage{open_now.size(), *most_files};
  for (const std::string& fd : open_now) {
    char target[256];
    const ssize_t n = ::readlink((root + "/proc/self/fd/" + fd).c_str(), target, sizeof target);
    const std::string_view path(target, n > 0 ? static_cast<std::size_t>(n) : 0);
    if (path.starts_with("/dev/") && std::find(facts.devices.begin(), facts.devices.end(), path) == facts.devices.end())
      facts.devices.emplace_back(path);
  }
  std::sort(facts.devices.begin(), facts.devices.end());
}

/// All that files tell, below `root` ("" on a real system).
inline system_facts read_system_facts(const std::string& root) {
  system_facts facts;
  facts.kernel = first_line(root + "/proc/sys/kernel/osrelease");
  facts.has_proc = !list_folder(root + "/proc/self/fd").empty();
  facts.overcommit = static_cast<int>(read_number(root + "/proc/sys/vm/overcommit_memory").value_or(0));
  facts.huge_pages = chosen_word(first_line(root + "/sys/kernel/mm/transparent_hugepage/enabled"));
  facts.core_pattern = first_line(root + "/proc/sys/kernel/core_pattern");
  read_cgroups(root, facts);
  read_process(root, facts);
  return facts;
}

/// And what only calls tell. Threads: safe.
inline system_facts system_facts_now() {
  system_facts facts = read_system_facts("");
  facts.has_pidfd = static_cast<bool>(base::pidfd_open(::getpid()));
  struct sigaction action {};
  if (::sigaction(SIGCHLD, nullptr, &action) == 0 && (action.sa_flags & SA_NOCLDWAIT) != 0)
    facts.ignores_sigchld = true;
  return facts;
}

} // namespace lk::parallel::config
