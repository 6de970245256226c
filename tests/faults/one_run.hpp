// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/base/unique_fd.hpp>

#include <support/procfs.hpp>
#include <support/sanitizers.hpp>

#include "faults/descendants.hpp"
#include "faults/signs_of_life.hpp"

// One run of the victim under the driver's eyes, from its fork to the end of the last process that it leaves behind.

namespace lk::parallel::faults {

/// What the driver was asked for.
struct driver_settings {
  std::string victim;
  std::string fault;
  int repeat = 1;
  std::chrono::seconds at_most = std::chrono::hours(24);
  std::chrono::seconds deadline{testing::under_sanitizer ? 300 : 60};
  bool busy = false;
  std::optional<std::string> seed;
  std::optional<std::string> expected_failure;
  std::optional<std::vector<std::string>> expected_names;
};

inline std::set<std::string> shared_memory_names() {
  const auto names = testing::names_of_shared_memory();
  return {names.begin(), names.end()};
}

/// What came of one run. Units: milliseconds.
struct run_report {
  std::vector<std::string> failures;
  std::string output;
  double wall_ms = 0;
};

class one_run {
 public:
  one_run(const driver_settings& wanted, int ends_by, const std::set<pid_t>& busy)
      : wanted_(wanted)
      , ends_by_(ends_by)
      , busy_(busy)
      , output_(::memfd_create("output", MFD_CLOEXEC))
      , signs_fd_(::memfd_create("signs of life", MFD_CLOEXEC)) {
    if (!output_ || !signs_fd_ || ::ftruncate(signs_fd_.get(), signs_of_life::bytes) != 0 ||
        !(signs_ = signs_of_life::map(signs_fd_.get())))
      throw std::runtime_error(std::string("cannot make memory for the victim: ") + std::strerror(errno));
  }
  ~one_run() {
    if (signs_) signs_->unmap();
  }
  one_run(const one_run&) = delete;
  one_run& operator=(const one_run&) = delete;

  run_report run() {
    const auto shared_memory_before = shared_memory_names();
    const auto begin = std::chrono::steady_clock::now();
    const pid_t victim = start();
    if (const auto status = wait_for_end(victim)) {
      if (!is_as_declared(*status))
        fail("the victim " + how_it_ended(*status) + ", not as declared (" + declared_end() + ")");
      else if (ends_by_ == 0)
        expect_no_orphans();
      else
        expect_orphans_to_end();
    }
    report_.wall_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    kill_all(busy_);
    for (const std::string& name : shared_memory_names())
      if (!shared_memory_before.count(name)) fail_for_shared_memory("/dev/shm/" + name);
    report_.output = base::read_small_file("/proc/self/fd/" + std::to_string(output_.get())).value_or("") + measured_;
    return report_;
  }

 private:
  void fail(const std::string& sentence) { report_.failures.push_back(sentence); }

  /// Where the failure was asked for, the name is removed; else another program may have made it.
  void fail_for_shared_memory(const std::string& path) {
    fail(path + " is new");
    if (wanted_.expected_failure) ::unlink(path.c_str());
  }

  pid_t start() {
    std::vector<std::string> words{wanted_.victim, "--fault", wanted_.fault, "--signs", std::to_string(victims_signs)};
    if (wanted_.seed) words.insert(words.end(), {"--seed", *wanted_.seed});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t driver = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
    if (pid == 0) become_victim(driver, argv);
    ::setpgid(pid, pid); // in both processes, so that the group exists before either goes on
    return pid;
  }

  [[noreturn]] void become_victim(pid_t driver, const std::vector<char*>& argv) const {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != driver) ::_exit(127);
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, 0);
    ::dup2(output_.get(), 1);
    ::dup2(output_.get(), 2);
    ::dup2(signs_fd_.get(), victims_signs);
    ::close(nothing);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execv(argv[0], argv.data());
    ::dprintf(2, "%s cannot be run: %s\n", argv[0], std::strerror(errno));
    ::_exit(127);
  }

  /// The victim's end, once it is there; orphans that end meanwhile are failures.
  std::optional<int> wait_for_end(pid_t victim) {
    const auto limit = base::deadline::after(wanted_.deadline);
    while (true) {
      while (const auto ended = reap_one()) {
        if (ended->pid == victim) return ended->status;
        if (!busy_.count(ended->pid)) orphans_.push_back(*ended);
      }
      if (limit.passed()) break;
      wait_for_a_child(limit);
    }
    fail("it hangs: no end within " + std::to_string(wanted_.deadline.count()) + " s; who waits where:\n" +
         describe(descendants(busy_), *signs_));
    return std::nullopt;
  }

  bool is_as_declared(int status) const {
    return ends_by_ == 0 ? WIFEXITED(status) && WEXITSTATUS(status) == 0
                         : WIFSIGNALED(status) && WTERMSIG(status) == ends_by_;
  }
  std::string declared_end() const {
    return ends_by_ == 0 ? std::string("exit status 0") : std::string("SIG") + ::sigabbrev_np(ends_by_);
  }

  void expect_no_orphans() {
    for (const ended_child& ended : orphans_)
      fail("an orphan, dead by now: process " + std::to_string(ended.pid) + " (" + ended.name + "), which " +
           how_it_ended(ended.status));
    const auto left = descendants(busy_);
    if (!left.empty()) fail("orphans of a victim that has left:\n" + describe(left, *signs_));
  }

  /// A victim that was killed leaves the rest to its zygote. 0.5 s are promised for an idle machine; ten times that in
  /// a test.
  void expect_orphans_to_end() {
    const auto begin = std::chrono::steady_clock::now();
    const auto limit = base::deadline::after(std::chrono::seconds(5));
    while (true) {
      while (reap_one()) {
      }
      const auto left = descendants(busy_);
      if (left.empty()) break;
      if (limit.passed()) return fail("processes outlive the victim by 5 s:\n" + describe(left, *signs_));
      wait_for_a_child(base::deadline::after(std::chrono::milliseconds(2)));
    }
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    char line[200];
    std::snprintf(line, sizeof line, "measured: %s: all processes gone: %.3f ms\n", wanted_.fault.c_str(),
                  time.count());
    measured_ = line;
  }

  static constexpr int victims_signs = 3;

  const driver_settings& wanted_;
  int ends_by_;
  const std::set<pid_t>& busy_;
  base::unique_fd output_, signs_fd_;
  signs_of_life* signs_ = nullptr;
  std::vector<ended_child> orphans_;
  std::string measured_;
  run_report report_;
};

} // namespace lk::parallel::faults
