// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "scratch_folder.hpp"

// Runs a program in a process group of its own, as a shell with job control does, and hands back what it said. ctest
// hands over the paths of the programs in environment variables.

namespace recsys::testing {

using words = std::vector<std::string>;

inline words operator+(words a, const words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Of the environment; empty where it is not there.
inline std::string setting(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

struct program_result {
  int code = -1; ///< exit status; -1: it was killed by a signal or had to be
  std::string out, err;
};

class program {
 public:
  /// command: the path and its arguments; knobs: LK_NUM_...=n, and no others reach the program.
  explicit program(const words& command, const words& knobs = {}) {
    words environment = knobs;
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
    const int problem = ::posix_spawn(&pid_, command[0].c_str(), &files, &attributes, pointers_to(command).data(),
                                      pointers_to(environment).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (problem != 0) throw std::runtime_error("cannot start " + command[0]);
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
  static std::vector<char*> pointers_to(const words& texts) {
    std::vector<char*> pointers;
    for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
    pointers.push_back(nullptr);
    return pointers;
  }

  scratch_folder said_;
  pid_t pid_ = -1;
};

/// The program whose path is in the variable, with these arguments.
inline words command_of(const char* variable, const words& arguments) {
  const std::string path = setting(variable);
  if (path.empty())
    throw std::runtime_error(std::string(variable) + " is not set to the program's path; run it by ctest");
  return words{path} + arguments;
}

/// Blocks: until it has ended.
inline program_result run_program(const char* variable, const words& arguments, const words& knobs = {}) {
  return program(command_of(variable, arguments), knobs).finish();
}

/// The same with its standard streams as a shell has them after these redirections, such as "2>&-".
inline words redirected(const std::string& streams, const words& command) {
  return words{"/bin/sh", "-c", "exec \"$0\" \"$@\" " + streams} + command;
}

/// What a batch program writes to --out, with journal and manifest beside it. Throws: std::runtime_error with what it
/// said where it did not come to a good end.
inline std::string output_of(const char* variable, const words& arguments, const words& knobs = {}) {
  const scratch_folder folder;
  const program_result result = run_program(variable, arguments + words{"--out", folder.file("out")}, knobs);
  if (result.code != 0 || folder.files().size() != 3) throw std::runtime_error("not a good end: " + result.err);
  return content_of(folder.file("out"));
}

/// 0 where there is no such file.
inline std::uint64_t size_of(const std::filesystem::path& path) {
  std::error_code none;
  const auto size = std::filesystem::file_size(path, none);
  return none ? 0 : size;
}

} // namespace recsys::testing
