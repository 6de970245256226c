// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/process/fork.hpp>

// The workers of a dead zygote die with it. Where the host is their next parent (as PID 1 or a subreaper), it is the
// host that must reap them.

namespace lk::parallel::process {

/// Children of this process, of whichever thread, that bear a worker's name, or that zygote's because they have not
/// come to take their own. A worker has a zygote as its parent as long as that lives, so all of them are orphans.
inline std::vector<pid_t> orphaned_workers(pid_t zygote) {
  std::vector<pid_t> found;
  std::error_code failed;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", failed)) {
    std::istringstream children(base::read_small_file(thread.path().string() + "/children").value_or(""));
    for (pid_t pid = 0; children >> pid;) {
      const auto name = base::read_small_file("/proc/" + std::to_string(pid) + "/comm").value_or("");
      if (name.starts_with(worker_prefix) || name == zygote_name(zygote) + '\n') found.push_back(pid);
    }
  }
  return found;
}

/// After the end of that zygote, which has been reaped. Blocks: until they are dead, at most a second.
inline void reap_orphans(pid_t zygote) {
  int is_subreaper = 0;
  ::prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper);
  if (is_subreaper == 0 && ::getpid() != 1) return;
  for (const auto limit = base::deadline::after(std::chrono::seconds(1)); !limit.passed(); ::poll(nullptr, 0, 1)) {
    bool any_left = false;
    for (const pid_t pid : orphaned_workers(zygote)) any_left = ::waitpid(pid, nullptr, WNOHANG) == 0 || any_left;
    if (!any_left) return;
  }
}

} // namespace lk::parallel::process
