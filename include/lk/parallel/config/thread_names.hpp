// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <lk/parallel/config/facts.hpp>
#include <lk/parallel/config/system_facts.hpp>

// The threads of this process by name: who else is in it. A thread that nobody has named bears the name of the one that
// started it. Source: proc(5), "/proc/pid/task/tid/comm".

namespace lk::parallel::config {

// Whoever starts a thread for the library, or meets one of oneTBB, names it so.
inline constexpr const char* training_thread_name = "lk-training";
inline constexpr const char* signal_thread_name = "lk-signals";
inline constexpr const char* tbb_thread_name = "lk-tbb";

/// All threads, sorted by owner, then by name. `root` comes before every path ("" on a real system).
inline std::vector<thread_group> group_threads(const std::string& root) {
  const std::string status = base::read_small_file(root + "/proc/self/status").value_or("");
  const auto main_thread = parse_number(find_line(status, "Pid:").value_or(""));
  std::map<std::pair<thread_owner, std::string>, int> counts;
  for (const std::string& task : list_folder(root + "/proc/self/task")) {
    const std::string name = first_line(root + "/proc/self/task/" + task + "/comm");
    if (name.empty()) continue; // ended meanwhile
    const auto owner = parse_number(task) == main_thread                            ? thread_owner::main
                       : name == tbb_thread_name                                    ? thread_owner::one_tbb
                       : name == training_thread_name || name == signal_thread_name ? thread_owner::library
                                                                                    : thread_owner::others;
    ++counts[{owner, name}];
  }
  std::vector<thread_group> groups;
  for (const auto& [key, n] : counts) groups.push_back({key.second, n, key.first});
  return groups;
}

} // namespace lk::parallel::config
