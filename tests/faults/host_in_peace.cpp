// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <oneapi/tbb/parallel_for.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/base/unique_fd.hpp>
#include <lk/parallel/progress.hpp>

#include "faults/fault.hpp"
#include "faults/host_tools.hpp"
#include "faults/pool.hpp"

// The host program is left in peace: what belongs to it is as before, and what it does beside goes on. (Ignoring
// SIGCHLD, reaping everything: S4. Short-lived threads: S3. Buffered output: S6.)

using namespace lk::parallel;
using namespace lk::parallel::faults;
using namespace std::chrono_literals;

namespace {

void on_signal(int, siginfo_t*, void*) {}

/// Calls fn for a pool in each part of its life: made, used, with a lost worker replaced, gone.
void in_each_part_of_a_pools_life(const std::function<void(const char*)>& fn) {
  const auto task = [](std::int64_t x, task_context& context) {
    if (x == 7 && context.attempt() == 1) ::raise(SIGSEGV);
    return answer(x);
  };
  {
    auto workers = make_pool(task, {.n_jobs = 2, .retries = 1, .task_timeout = 10s});
    fn("after an invoker was made");
    expect_healthy(workers, 20);
    fn("after a map");
  }
  fn("after the invoker is gone");
}

// --- P1

std::string members(const sigset_t& set) {
  std::string text;
  for (int signal = 1; signal < NSIG; ++signal)
    if (::sigismember(&set, signal) == 1) text += ' ' + std::to_string(signal);
  return text;
}

sigset_t blocked_signals() {
  sigset_t blocked;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  return blocked;
}

std::string dispositions() {
  std::ostringstream text;
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0) continue;
    text << "signal " << signal << ": " << reinterpret_cast<const void*>(action.sa_handler) << ' ' << action.sa_flags
         << members(action.sa_mask) << '\n';
  }
  return text.str();
}

std::string limits() {
  std::ostringstream text;
  for (int resource = 0; resource < static_cast<int>(RLIM_NLIMITS); ++resource) {
    rlimit limit{};
    ::getrlimit(static_cast<__rlimit_resource>(resource), &limit);
    text << "limit " << resource << ": " << limit.rlim_cur << ' ' << limit.rlim_max << '\n';
  }
  return text.str();
}

std::string timers() {
  std::ostringstream text;
  for (const auto which : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) {
    itimerval left{};
    ::getitimer(which, &left);
    text << "timer " << which << ": every " << left.it_interval.tv_sec << " s, " << (left.it_value.tv_sec > 0) << '\n';
  }
  return text.str();
}

std::string other_attributes() {
  std::ostringstream text;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  char folder[4096] = {}, name[16] = {};
  expect(::getcwd(folder, sizeof folder) != nullptr, "there is a working directory");
  ::prctl(PR_GET_NAME, name);
  int subreaper = 0, death_signal = 0;
  ::prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
  ::prctl(PR_GET_PDEATHSIG, &death_signal);
  cpu_set_t cpus;
  ::sched_getaffinity(0, sizeof cpus, &cpus);
  text << "umask " << mask << "\nfolder " << folder << "\nname " << name << "\nsubreaper " << subreaper
       << "\ndeath signal " << death_signal << "\ndumpable " << ::prctl(PR_GET_DUMPABLE) << "\nCPUs "
       << CPU_COUNT(&cpus) << "\nblocked " << members(blocked_signals()) << "\nnice " << ::getpriority(PRIO_PROCESS, 0)
       << "\ngroup " << ::getpgrp() << "\nsession " << ::getsid(0) << "\nlocale " << std::setlocale(LC_ALL, nullptr)
       << "\nOOM score " << base::read_small_file("/proc/self/oom_score_adj").value_or("?");
  for (const int fd : {0, 1, 2}) text << "\nflags of " << fd << ' ' << ::fcntl(fd, F_GETFL);
  for (char** variable = environ; *variable != nullptr; ++variable) text << '\n' << *variable;
  return text.str() + '\n';
}

std::string all_attributes() { return dispositions() + limits() + timers() + other_attributes(); }

/// The lines of `after` that `before` has not.
std::string new_lines(const std::string& before, const std::string& after) {
  std::string found;
  std::istringstream lines(after);
  for (std::string line; std::getline(lines, line);)
    if (before.find(line + '\n') == std::string::npos) found += line + "; ";
  return found;
}

/// A host with habits: own handlers with flags and masks, a blocked signal, armed timers, an odd umask and folder.
void acquire_habits() {
  struct sigaction action {};
  action.sa_sigaction = &on_signal;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  ::sigaddset(&action.sa_mask, SIGUSR2);
  for (const int signal : {SIGUSR1, SIGCHLD, SIGSEGV, SIGTERM}) ::sigaction(signal, &action, nullptr);
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  const itimerval hourly{{3600, 0}, {3600, 0}};
  for (const auto which : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) ::setitimer(which, &hourly, nullptr);
  ::umask(027);
  expect(::chdir("/proc") == 0, "the folder can be changed");
  ::prctl(PR_SET_NAME, "odd host");
}

} // namespace

FAULT("P1", "handlers with flags, masks, timers, limits, umask, folder, environment, names of the host are as before") {
  expect(testing::in_child([] {
           acquire_habits();
           const std::string before = all_attributes();
           in_each_part_of_a_pools_life([&](const char* when) {
             const std::string changed = new_lines(before, all_attributes());
             expect(changed.empty(), std::string(when) + ": " + changed);
           });
           return 0;
         }) == testing::exited(0),
         "a host with habits keeps them");
}

// --- P2

namespace {

/// A terminal whose user sits in this process.
class terminal {
 public:
  terminal() : user_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    expect(user_ && ::grantpt(user_.get()) == 0 && ::unlockpt(user_.get()) == 0, "a terminal can be made");
    char name[100];
    expect(::ptsname_r(user_.get(), name, sizeof name) == 0, "it has a name");
    name_ = name;
    ::fcntl(user_.get(), F_SETFL, O_NONBLOCK);
  }

  /// Makes it the controlling terminal of this process, which leads a session of its own from here on.
  void sit_on_it() const {
    expect(::setsid() > 0, "a session can be made");
    const int fd = ::open(name_.c_str(), O_RDWR);
    for (const int standard : {0, 1, 2}) ::dup2(fd, standard);
    if (fd > 2) ::close(fd);
  }

  void type(char key) const { expect(::write(user_.get(), &key, 1) == 1, "a key can be typed"); }
  void look() { seen_ += whole_text(user_.get()); }
  const std::string& seen() const { return seen_; }

 private:
  base::unique_fd user_;
  std::string name_, seen_;
};

std::string terminal_attributes() {
  termios modes{};
  expect(::tcgetattr(0, &modes) == 0, "the terminal tells its modes");
  std::ostringstream text;
  text << modes.c_iflag << ' ' << modes.c_oflag << ' ' << modes.c_cflag << ' ' << modes.c_lflag << ' '
       << std::string(reinterpret_cast<const char*>(modes.c_cc), sizeof modes.c_cc) << " group " << ::tcgetpgrp(0)
       << " session " << ::tcgetsid(0);
  return text.str();
}

std::atomic<int>* n_interrupts = nullptr;

/// A program on a terminal of its own; the user presses Ctrl-C while its workers compute.
void live_on_a_terminal(const shared<std::atomic<int>>& computing) {
  const shared<std::atomic<int>> interrupts;
  n_interrupts = &*interrupts;
  const disposition handled(
      SIGINT, [](int) { ++*n_interrupts; }, SA_RESTART);
  termios modes{};
  ::tcgetattr(0, &modes);
  modes.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(0, TCSANOW, &modes);
  const std::string before = terminal_attributes();
  const auto task = [&](std::int64_t x, task_context&) {
    char byte = 0;
    expect(::read(0, &byte, 1) == 0, "a task finds the end of its standard input, not the user's keys");
    if (x == 3) *computing = 1;
    while (x == 3 && *interrupts == 0) std::this_thread::yield();
    return answer(x);
  };
  {
    auto workers = make_pool(task, {.n_jobs = 2, .progress = invoke_progress("lk", "tasks", 20)});
    expect(terminal_attributes() == before, "making an invoker leaves the terminal alone");
    expect_healthy(workers, 20);
    expect(terminal_attributes() == before, "a map leaves the terminal alone");
  }
  expect(terminal_attributes() == before, "the end of an invoker leaves the terminal alone");
  expect(*interrupts == 1, "Ctrl-C ran the host's handler once");
}

} // namespace

FAULT("P2", "a host on a terminal keeps its modes and foreground group, and Ctrl-C reaches its handler once") {
  const shared<std::atomic<int>> computing;
  terminal screen;
  const pid_t program = ::fork();
  if (program == 0) {
    screen.sit_on_it();
    live_on_a_terminal(computing);
    ::_exit(0);
  }
  bool typed = false;
  int status = -1;
  const auto watch = [&] {
    screen.look();
    if (*computing == 1 && !std::exchange(typed, true)) screen.type('\x03');
    return ::waitpid(program, &status, WNOHANG) == program;
  };
  wait_until(watch, "the program on the terminal ends");
  screen.look();
  expect(status == 0, "the program on the terminal ends well; it wrote: " + screen.seen());
}

// --- P3

FAULT("P3", "the host uses spdlog and oneTBB from many threads while workers are forked") {
  const auto log =
      std::make_shared<spdlog::logger>("busy host", std::make_shared<spdlog::sinks::basic_file_sink_mt>("/dev/null"));
  spdlog::register_logger(log);
  const auto write_line = [] { spdlog::get("busy host")->warn("the host goes on"); };
  const auto use_tbb = [] {
    std::atomic<int> n{0};
    oneapi::tbb::parallel_for(0, 100, [&](int) { ++n; });
    expect(n == 100, "oneTBB works in the host");
    std::this_thread::sleep_for(50us);
  };
  const auto task = [](std::int64_t x, task_context&) {
    if (x % 10 == 0) spdlog::get("busy host")->info("a task");
    std::atomic<std::int64_t> n{0};
    oneapi::tbb::parallel_for(std::int64_t{0}, x, [&](std::int64_t) { ++n; });
    return answer(n);
  };
  {
    const busy_host host{write_line, write_line, use_tbb, use_tbb};
    for (int round = 0; round < 10; ++round) {
      auto workers = make_pool(task, {.n_jobs = 2});
      expect_healthy(workers, 20);
    }
  }
  auto workers = make_pool(task, {.n_jobs = 2}); // joins the oneTBB threads that the host's threads have left
  expect_healthy(workers, 20);
  spdlog::drop("busy host");
}

// --- P4

FAULT("P4", "the host forks children of its own meanwhile, from two threads, and gets their exact statuses") {
  const auto fork_a_child = [] {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(7);
    int status = -1;
    expect(base::retry_eintr([&] { return ::waitpid(pid, &status, 0); }) == pid, "the child is the host's to reap");
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 7, "its status is exact");
  };
  const busy_host host{fork_a_child, fork_a_child};
  for (int round = 0; round < 10; ++round) {
    auto workers = make_pool(usual, {.n_jobs = 2});
    expect_healthy(workers, 20);
  }
}
