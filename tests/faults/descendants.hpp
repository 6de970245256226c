// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/posix.hpp>

#include <support/procfs.hpp>

#include "faults/signs_of_life.hpp"

// The driver's view of the processes under it: who there is, who has ended, who waits where, and how to end them all.
// Everything here is for a child subreaper in which SIGCHLD is blocked.

namespace lk::parallel::faults {

using testing::process_state;

/// Whoever descends from this process, but for those of `without`.
inline std::vector<process_state> descendants(const std::set<pid_t>& without) {
  const auto all = testing::all_processes();
  std::set<pid_t> family{::getpid()};
  std::vector<process_state> found;
  for (bool grew = true; grew;) {
    grew = false;
    for (const process_state& process : all) {
      if (!family.count(process.parent) || family.count(process.pid) || without.count(process.pid)) continue;
      family.insert(process.pid);
      found.push_back(process);
      grew = true;
    }
  }
  return found;
}

inline std::string name_of(pid_t pid) {
  std::string name = base::read_small_file("/proc/" + std::to_string(pid) + "/comm").value_or("?");
  return name.substr(0, name.find('\n'));
}

/// One more SIGCHLD, or the limit. SIGCHLD is blocked in this process.
inline void wait_for_a_child(const base::deadline& limit) {
  sigset_t child_ended;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  const auto left = std::min<std::chrono::nanoseconds>(limit.left(), std::chrono::milliseconds(100));
  const timespec span{0, static_cast<long>(left.count())};
  ::sigtimedwait(&child_ended, nullptr, &span);
}

struct ended_child {
  pid_t pid;
  std::string name;
  int status;
};

/// A child that has ended, and is reaped now.
inline std::optional<ended_child> reap_one() {
  siginfo_t info{};
  if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return std::nullopt;
  ended_child ended{info.si_pid, name_of(info.si_pid), 0};
  ::waitpid(ended.pid, &ended.status, 0);
  return ended;
}

inline std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return std::string("was killed by SIG") + ::sigabbrev_np(WTERMSIG(status));
  return "exited with status " + std::to_string(WEXITSTATUS(status));
}

/// Kills whoever descends from this process until nobody is left.
inline void kill_all(const std::set<pid_t>& without) {
  while (true) {
    const auto left = descendants(without);
    if (left.empty()) return;
    for (const process_state& process : left)
      if (process.state != 'Z') ::kill(process.pid, SIGKILL);
    while (reap_one()) {
    }
    wait_for_a_child(base::deadline::after(std::chrono::milliseconds(5)));
  }
}

inline std::string first_line_of(const std::string& path) {
  const std::string text = base::read_small_file(path).value_or("not readable");
  return text.substr(0, text.find('\n'));
}

inline std::string describe_thread(const std::string& folder, const std::string& thread) {
  std::string text = "    thread " + thread + " (" + first_line_of(folder + "/comm") + ") waits in " +
                     first_line_of(folder + "/wchan") + ", system call " + first_line_of(folder + "/syscall") + '\n';
  std::istringstream stack(base::read_small_file(folder + "/stack").value_or(""));
  for (std::string frame; std::getline(stack, frame);) text += "      " + frame + '\n';
  return text;
}

/// What a process has told of itself, at its last fault point.
inline std::string last_sign(const sign_of_life& sign) {
  return "passed \"" + sign.point() + "\" " + std::to_string(sign.age_ns() / 1'000'000) + " ms ago, " +
         std::to_string(sign.count.load(std::memory_order_relaxed)) + " points in all";
}

inline std::string describe(const process_state& process, const sign_of_life* sign) {
  const std::string pid = std::to_string(process.pid), threads = "/proc/" + pid + "/task/";
  std::string text = "  process " + pid + " (" + process.name + ", state " + process.state + ", child of " +
                     std::to_string(process.parent) + "): " + (sign ? last_sign(*sign) : "passed no fault point") +
                     '\n';
  for (const std::string& thread : testing::names_in(threads)) text += describe_thread(threads + thread, thread);
  return text;
}

/// Who waits where, and which worker has been silent for the longest time.
inline std::string describe(const std::vector<process_state>& processes, signs_of_life& signs) {
  std::string text, silent = "none of them has passed a fault point";
  std::int64_t longest_ns = 0;
  for (const process_state& process : processes) {
    const sign_of_life* const sign = signs.find(process.pid);
    text += describe(process, sign);
    if (sign && process.name.rfind("lk-worker-", 0) == 0 && sign->age_ns() > longest_ns) {
      longest_ns = sign->age_ns();
      silent = process.name + " (process " + std::to_string(process.pid) + "), which " + last_sign(*sign);
    }
  }
  return text + "  the most silent worker: " + silent + '\n';
}

} // namespace lk::parallel::faults
