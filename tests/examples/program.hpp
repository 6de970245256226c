// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "scratch_folder.hpp"

// Runs a program in a process group of its own, as a shell with job control does, and hands back what it said.

namespace recsys::testing {

struct program_result {
  int code = -1; ///< exit status; -1: it was killed by a signal or had to be
  std::string out, err;
};

class program {
 public:
  /// words: the path and its arguments; knobs: LK_NUM_...=n, and no others reach the program.
  program(const std::vector<std::string>& words, const std::vector<std::string>& knobs = {}) {
    std::vector<std::string> environment = knobs;
    for (char** entry = environ; *entry != nullptr; ++entry)
      if (!std::string_view(*entry).starts_with("LK_NUM_")) environment.emplace_back(*entry);

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, said_.file("out").c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_addopen(&files, 2, said_.file("err").c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    const int problem = ::posix_spawn(&pid_, words[0].c_str(), &files, &attributes, pointers_to(words).data(),
                                      pointers_to(environment).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (problem != 0) throw std::runtime_error("cannot start " + words[0]);
  }
  program(const program&) = delete;
  program& operator=(const program&) = delete;
  ~program() {
    if (pid_ > 0) finish(std::chrono::seconds(0));
  }

  pid_t pid() const { return pid_; }
  /// What it has written to stderr until now.
  std::string err_so_far() const { return content_of(said_.file("err")); }

  /// What Ctrl-C does.
  void interrupt() { ::kill(-pid_, SIGINT); }

  /// Leaves its exit status to finish().
  bool has_ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
  }

  /// Blocks: until the program is gone; after the limit its group is killed.
  program_result finish(std::chrono::seconds limit = std::chrono::seconds(120)) {
    int status = 0;
    const bool ended = poll_until([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, limit);
    if (!ended) {
      ::kill(-pid_, SIGKILL);
      ::waitpid(pid_, &status, 0);
    }
    pid_ = -1;
    return {ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1, content_of(said_.file("out")),
            content_of(said_.file("err"))};
  }

  /// Blocks: until the condition holds (true), or the limit has passed (false).
  static bool poll_until(const std::function<bool()>& condition, std::chrono::seconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() >= end) return false;
      ::poll(nullptr, 0, 1);
    }
    return true;
  }

 private:
  static std::vector<char*> pointers_to(const std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    return pointers;
  }

  scratch_folder said_;
  pid_t pid_ = -1;
};

} // namespace recsys::testing
