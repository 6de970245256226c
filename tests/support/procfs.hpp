// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dirent.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <lk/parallel/base/posix.hpp>

// What the tests read from procfs(5): names in a folder, the state of a process, who waits where.

namespace lk::parallel::testing {

/// Names in a folder without dot-files, and without the descriptor that reads it. Empty where it cannot be read.
inline std::vector<std::string> names_in(const std::string& folder) {
  struct close_folder {
    void operator()(DIR* dir) const { ::closedir(dir); }
  };
  std::vector<std::string> names;
  const std::unique_ptr<DIR, close_folder> dir(::opendir(folder.c_str()));
  if (!dir) return names;
  const std::string own = folder == "/proc/self/fd" ? std::to_string(::dirfd(dir.get())) : "";
  while (const dirent* entry = ::readdir(dir.get())) {
    if (entry->d_name[0] != '.' && entry->d_name != own) names.emplace_back(entry->d_name);
  }
  return names;
}

/// Where a symbolic link points to, empty where there is none.
inline std::string link_target(const std::string& path) {
  char text[512];
  const ssize_t n = ::readlink(path.c_str(), text, sizeof text);
  return n < 0 ? std::string() : std::string(text, static_cast<std::size_t>(n));
}

/// Names in /dev/shm, without those that may come and go meanwhile: the folders of other tests, and the names that
/// LLVM's OpenMP gives to processes, of which others may run on this machine.
inline std::vector<std::string> names_of_shared_memory() {
  std::vector<std::string> names = names_in("/dev/shm");
  std::erase_if(names, [](const std::string& name) {
    return name.starts_with("lk-parallel-test-") || name.starts_with("__KMP_REGISTERED_LIB_");
  });
  return names;
}

struct process_state {
  int pid = 0;
  std::string name;
  char state = '?'; ///< as in proc(5): R running, S sleeping, T stopped, Z zombie
  int parent = 0;
  int group = 0;
};

/// Every process that this one can see. Its children are those whose parent is getpid(), whichever thread forked them.
inline std::vector<process_state> all_processes() {
  std::vector<process_state> found;
  for (const std::string& pid : names_in("/proc")) {
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string text = base::read_small_file("/proc/" + pid + "/stat").value_or("");
    const std::size_t open = text.find('('), close = text.rfind(')');
    if (open == std::string::npos || close == std::string::npos) continue;
    process_state process;
    process.pid = std::atoi(pid.c_str());
    process.name = text.substr(open + 1, close - open - 1);
    std::istringstream rest(text.substr(close + 1));
    rest >> process.state >> process.parent >> process.group;
    found.push_back(std::move(process));
  }
  return found;
}

/// One line for each thread of each process in a group: its name, its state and where in the kernel it waits.
inline std::string describe_group(int group) {
  std::string lines;
  for (const process_state& process : all_processes()) {
    if (process.group != group) continue;
    const std::string tasks = "/proc/" + std::to_string(process.pid) + "/task/";
    for (const std::string& thread : names_in(tasks)) {
      const std::string place = base::read_small_file(tasks + thread + "/wchan").value_or("?");
      lines += "  process " + std::to_string(process.pid) + " (" + process.name + ", " + process.state + ") thread " +
               thread + " waits in " + (place.empty() || place == "0" ? "user code" : place) + '\n';
    }
  }
  return lines;
}

} // namespace lk::parallel::testing
