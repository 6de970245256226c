// lk-parallel | SPDX-License-Identifier: MIT
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/base/unique_fd.hpp>
#include <lk/parallel/errors.hpp>
#include <support/in_child.hpp>

#include "faults/fault.hpp"
#include "faults/host_tools.hpp"
#include "faults/pool.hpp"

// Signals and the host: how it may end, and what it may do with signals, children and streams while a pool lives.

using namespace lk::parallel;
using namespace lk::parallel::faults;
using namespace std::chrono_literals;

namespace {

/// Counts in memory that all processes share, so that a handler that ran in a child would be seen.
std::atomic<int>* n_handled = nullptr;
void count_signal(int) { ++*n_handled; }

struct signal_count {
  signal_count() { n_handled = &*value; }
  ~signal_count() { n_handled = nullptr; }
  int get() const { return *value; }
  shared<std::atomic<int>> value;
};

/// Becomes the parent of what a dead zygote leaves, which else would be an orphan of the driver.
struct subreaper {
  subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }
  ~subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }
};

/// A zygote that was just killed may live on long enough for its workers to finish a small map.
void expect_zygote_lost(pool& workers) {
  const auto is_told = [&] {
    try {
      (void)results_of(workers, arguments(10));
    } catch (const worker_lost& lost) {
      expect(lost.kind == loss_kind::zygote, "the error says that the zygote is gone");
      return true;
    }
    return false;
  };
  wait_until(is_told, "a map without a zygote ends with worker_lost");
}

// --- S1

[[noreturn]] void die_of(int signal) {
  if (signal != SIGKILL) ::signal(signal, SIG_DFL); // whatever this program was started with (nohup, `&`)
  ::kill(::getpid(), signal);
  expect(false, "the host dies of the signal");
  ::abort();
}

void die_with_idle_workers(int signal) {
  roll_call idle;
  on_fault_point([&](std::string_view name) { return name == "waiting_for_task" && (idle.answer(), false); });
  auto workers = make_pool(usual, {.n_jobs = 2});
  expect_healthy(workers, 10);
  wait_until([&] { return idle.n_came() == 2; }, "both workers are idle");
  die_of(signal);
}

/// The host sleeps inside the map, as it mostly does.
void die_with_computing_workers(int signal) {
  if (signal != SIGKILL) ::signal(signal, SIG_DFL);
  roll_call computing;
  const auto task = [&, host = ::getpid()](std::int64_t, task_context&) -> std::string {
    computing.answer();
    if (computing.n_came() == 2) ::kill(host, signal);
    static volatile unsigned turns = 0;
    while (true) turns = turns + 1;
  };
  auto workers = make_pool(task, {.n_jobs = 2});
  (void)results_of(workers, arguments(8));
}

void die_with_blocked_workers(int signal) {
  roll_call blocked;
  on_fault_point([&](std::string_view name) { return name == "waiting_for_room" && (blocked.answer(), false); });
  const auto task = [](std::int64_t x, task_context&) {
    return std::string(x == 0 ? 1 : std::size_t{4} << 20, 'x'); // four times the ring
  };
  auto workers = make_pool(task, {.n_jobs = 2});
  auto results = workers.map(arguments(100));
  (void)results.begin(); // from here on nobody reads
  wait_until([&] { return blocked.n_came() == 2; }, "both workers wait for room on a full ring");
  die_of(signal);
}

} // namespace

FAULT_THAT_ENDS("S1-default", SIGINT,
                "Ctrl-C ends a host without a handler by SIGINT, and nothing is left of its pool") {
  ::signal(SIGINT, SIG_DFL); // a shell's background jobs ignore it
  const auto task = [](std::int64_t x, task_context&) -> std::string {
    if (x == 3) ::kill(0, SIGINT); // the whole group, as a terminal does
    while (x >= 3) ::pause();
    return answer(x);
  };
  auto workers = make_pool(task, {.n_jobs = 2});
  (void)results_of(workers, arguments(20));
}

FAULT("S1-handler", "Ctrl-C runs the host's handler once, in the host only, and the map goes on") {
  const signal_count count;
  const disposition handled(SIGINT, &count_signal, SA_RESTART);
  {
    const auto task = [](std::int64_t x, task_context&) {
      if (x == 3) ::kill(0, SIGINT);
      return answer(x);
    };
    auto workers = make_pool(task, {.n_jobs = 2});
    expect_healthy(workers);
    const auto pids = worker_pids();
    ::kill(0, SIGINT); // now they are idle
    expect_healthy(workers, 3);
    expect(worker_pids() == pids, "the workers live on");
  }
  expect(count.get() == 2, "the handler ran once for each signal, in the host only");
}

FAULT_THAT_ENDS("S1-term-idle", SIGTERM, "a host ended by SIGTERM leaves nothing while its workers are idle") {
  die_with_idle_workers(SIGTERM);
}
FAULT_THAT_ENDS("S1-term-computing", SIGTERM, "a host ended by SIGTERM leaves nothing while its workers compute") {
  die_with_computing_workers(SIGTERM);
}
FAULT_THAT_ENDS("S1-term-blocked", SIGTERM, "a host ended by SIGTERM leaves nothing while its workers wait for room") {
  die_with_blocked_workers(SIGTERM);
}
FAULT_THAT_ENDS("S1-kill-idle", SIGKILL, "a host that is killed leaves nothing while its workers are idle") {
  die_with_idle_workers(SIGKILL);
}
FAULT_THAT_ENDS("S1-kill-computing", SIGKILL, "a host that is killed leaves nothing while its workers compute") {
  die_with_computing_workers(SIGKILL);
}
FAULT_THAT_ENDS("S1-kill-blocked", SIGKILL, "a host that is killed leaves nothing while its workers wait for room") {
  die_with_blocked_workers(SIGKILL);
}

// --- S2

FAULT_THAT_ENDS("S2-zygote", SIGKILL, "a zygote whose host died before its first instruction leaves") {
  on_fault_point([](std::string_view name) { return name == "zygote_begins" && ::kill(::getppid(), SIGKILL) != 0; });
  auto workers = make_pool(usual, {.n_jobs = 2});
  expect_healthy(workers);
}

FAULT_THAT_ENDS("S2-worker", SIGKILL, "a worker whose host died before its first instruction leaves") {
  on_fault_point(
      [host = ::getpid()](std::string_view name) { return name == "worker_begins" && ::kill(host, SIGKILL) != 0; });
  auto workers = make_pool(usual, {.n_jobs = 2});
  expect_healthy(workers);
}

FAULT_THAT_ENDS("S2-worker-zygote", SIGKILL,
                "a worker whose zygote died before its first instruction leaves, and the map is told") {
  on_fault_point([](std::string_view name) { return name == "worker_begins" && ::kill(::getppid(), SIGKILL) != 0; });
  auto workers = make_pool(usual, {.n_jobs = 1, .where = execution::processes});
  expect_zygote_lost(workers);
  die_of(SIGKILL); // the driver sees to it that the orphan is gone
}

// --- S3

FAULT("S3", "an invoker outlives the thread that made it, and each thread that called map") {
  std::optional<pool> workers;
  std::thread([&] { workers.emplace(make_pool(usual, {.n_jobs = 2})); }).join();
  for (int round = 0; round < 5; ++round) std::thread([&] { expect_healthy(*workers, 50); }).join();
  for (const pid_t pid : worker_pids()) ::kill(pid, SIGKILL);
  expect_healthy(*workers);
  std::thread([&] { workers.reset(); }).join();
}

// --- S4

namespace {

void expect_exact_statuses() {
  const auto task = [](std::int64_t x, task_context&) {
    if (x == 3) ::raise(SIGKILL);
    if (x == 5) ::_exit(9);
    return answer(x);
  };
  auto workers = make_pool(task, {.n_jobs = 2});
  std::int64_t x = 0;
  for (const auto& result : workers.map_outcomes(arguments(20))) {
    if (x == 3 || x == 5) {
      const auto* const lost = dynamic_cast<const worker_lost*>(&result.error());
      expect(lost != nullptr && lost->task == static_cast<std::size_t>(x), "the task is blamed for its worker's end");
      expect(lost->kind == (x == 3 ? loss_kind::killed : loss_kind::exited) && lost->code == 9, "the status is exact");
    } else {
      expect(result.value() == answer(x), "the other tasks have their results");
    }
    ++x;
  }
  expect(x == 20, "the map goes to its end");
}

} // namespace

static_assert(SIGKILL == 9, "one number stands for signal and status above");

FAULT("S4-ignored", "a host that ignores SIGCHLD gets exact statuses and no hang") {
  {
    const disposition ignored(SIGCHLD, SIG_IGN);
    expect_exact_statuses();
  }
  const disposition no_zombies(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
  expect_exact_statuses();
}

FAULT("S4-handler", "a host whose SIGCHLD handler reaps everything gets exact statuses and no hang") {
  const auto reap_all = [](int) {
    const int interrupted_errno = errno;
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    errno = interrupted_errno;
  };
  const disposition reaping(SIGCHLD, reap_all);
  for (int round = 0; round < 3; ++round) expect_exact_statuses();
}

FAULT("S4-thread", "a host with a thread that waits for any child gets exact statuses and no hang") {
  const busy_host reaper{[] {
    if (::waitpid(-1, nullptr, 0) < 0) std::this_thread::yield();
  }};
  for (int round = 0; round < 3; ++round) expect_exact_statuses();
}

// --- S5

namespace {

/// Signals every millisecond, without SA_RESTART, so that any system call may fail with EINTR.
class signal_storm {
 public:
  explicit signal_storm(int timer) : timer_(timer), handled_(timer == ITIMER_REAL ? SIGALRM : SIGPROF, &count_signal) {
    set(1000);
  }
  ~signal_storm() { set(0); }
  signal_storm(const signal_storm&) = delete;
  signal_storm& operator=(const signal_storm&) = delete;
  int n_signals() const { return count_.get(); }

 private:
  void set(int microseconds) const {
    const itimerval every{{0, microseconds}, {0, microseconds}};
    expect(::setitimer(static_cast<__itimer_which>(timer_), &every, nullptr) == 0, "an interval timer can be set");
  }
  int timer_;
  signal_count count_;
  disposition handled_;
};

void survive_storm(int timer) {
  const signal_storm storm(timer);
  const auto task = [](std::int64_t x, task_context& context) {
    if (x % 20 == 7 && context.attempt() == 1) ::raise(SIGKILL);
    return answer(x);
  };
  do {
    auto workers = make_pool(task, {.n_jobs = 2, .retries = 1});
    expect_healthy(workers, 50);
    expect_healthy(workers, 5);
  } while (storm.n_signals() < 10);
}

} // namespace

FAULT("S5-real", "a storm of SIGALRM in the host, every millisecond, disturbs nothing") { survive_storm(ITIMER_REAL); }
FAULT("S5-prof", "a storm of SIGPROF in the host, every millisecond, disturbs nothing") { survive_storm(ITIMER_PROF); }

FAULT("S5-pipe-worker", "SIGPIPE does not kill a worker that writes to a pipe without a reader") {
  expect(testing::in_child([] {
           {
             pipe_pair broken;
             ::dup2(broken.writing.get(), 1);
           }
           const auto task = [](std::int64_t x, task_context&) {
             expect(::write(1, "x", 1) < 0 && errno == EPIPE, "the task sees EPIPE");
             std::printf("this cannot be written");
             return answer(x);
           };
           auto workers = make_pool(task, {.n_jobs = 2});
           expect_healthy(workers, 20);
           return 0;
         }) == testing::exited(0),
         "a host whose standard output is a broken pipe gets its results");
}

namespace {

void kill_the_zygote() {
  for (const pid_t pid : zygote_pids()) ::kill(pid, SIGKILL);
  wait_until([] { return zygote_pids().empty(); }, "the zygote is dead");
}

} // namespace

FAULT("S5-pipe-host", "SIGPIPE does not kill a host whose zygote has died") {
  const subreaper parent_of_orphans;
  {
    auto workers = make_pool(usual, {.n_jobs = 2});
    expect_healthy(workers, 10);
    kill_the_zygote();
  } // the destructor has something to tell it
  auto workers = make_pool(usual, {.n_jobs = 2});
  expect_healthy(workers, 10);
  kill_the_zygote();
  expect_zygote_lost(workers);
  expect_zygote_lost(workers);
}

// --- S6

namespace {

enum class stream { stdio, cout };

void print(stream where, const std::string& text) {
  if (where == stream::stdio)
    std::fputs(text.c_str(), stdout);
  else
    std::cout << text;
}

int n_times(const std::string& text, const std::string& part) {
  int n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

/// In a child of the victim, whose standard output is the pipe and buffered.
void print_in_host_and_tasks(stream where, pipe_pair& output) {
  ::dup2(output.writing.get(), 1);
  output.writing.reset();
  std::setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
  ::fcntl(output.reading.get(), F_SETFL, O_NONBLOCK);
  print(where, "host;");
  const auto task = [where](std::int64_t x, task_context& context) {
    print(where, "task " + std::to_string(x) + ';');
    if (x == 3) throw std::runtime_error("after printing");
    if (x == 5 && context.attempt() == 1) ::raise(SIGKILL); // what it printed is lost with it
    return answer(x);
  };
  auto workers = make_pool(task, {.n_jobs = 2, .retries = 1});
  std::string seen;
  int x = 0;
  for (const auto& result : workers.map_outcomes(arguments(8))) {
    expect(result.has_value() == (x != 3), "the tasks end as they should");
    seen += whole_text(output.reading.get());
    expect(n_times(seen, "task " + std::to_string(x++) + ';') == 1, "what a task prints is seen with its result, once");
  }
  workers.shutdown();
  std::fflush(stdout);
  std::cout.flush();
  seen += whole_text(output.reading.get());
  expect(n_times(seen, "host;") == 1, "what the host had not flushed before the fork is seen once");
  expect(n_times(seen, "task ") == 8, "nothing is printed twice");
}

void expect_printed_once(stream where, bool synchronised) {
  expect(testing::in_child([&] {
           std::ios::sync_with_stdio(synchronised);
           pipe_pair output;
           print_in_host_and_tasks(where, output);
           return 0;
         }) == testing::exited(0),
         "printing works in a host whose output is a pipe");
}

} // namespace

FAULT("S6-printf", "unflushed printf of the host appears once, and that of each task with its result") {
  expect_printed_once(stream::stdio, true);
}
FAULT("S6-cout", "unflushed cout of the host appears once, and that of each task with its result") {
  expect_printed_once(stream::cout, true);
}
FAULT("S6-cout-unsynced", "the same after std::ios::sync_with_stdio(false), where cout has a buffer of its own") {
  expect_printed_once(stream::cout, false);
}

// --- S8

FAULT("S8", "SIGHUP under nohup, and SIGTERM or SIGUSR1 that the host handles, end no worker of the group") {
  const signal_count count;
  const disposition hup(SIGHUP, SIG_IGN), term(SIGTERM, &count_signal), user(SIGUSR1, &count_signal);
  {
    auto workers = make_pool(usual, {.n_jobs = 2});
    expect_healthy(workers);
    const auto before = worker_pids();
    for (const int signal : {SIGHUP, SIGTERM, SIGUSR1}) ::kill(0, signal);
    expect_healthy(workers);
    expect(worker_pids() == before && zygote_pids().size() == 1, "the same processes are there afterwards");
  }
  expect(count.get() == 2, "the host's handlers ran once for each signal, in the host only");
}

// --- S9

namespace {

/// Stops the whole group for so long, as Ctrl-Z or a suspended machine does; by a process outside of it.
/// Blocks: until then.
void stand_still(std::chrono::milliseconds time) {
  const pid_t group = ::getpgrp();
  const pid_t outsider = ::fork();
  if (outsider == 0) {
    ::setpgid(0, 0);
    ::kill(-group, SIGSTOP);
    ::poll(nullptr, 0, static_cast<int>(time.count()));
    ::kill(-group, SIGCONT);
    ::_exit(0);
  }
  int status = -1;
  expect(base::retry_eintr([&] { return ::waitpid(outsider, &status, 0); }) == outsider && status == 0,
         "somebody else stops the group and lets it go on");
}

/// Task 1 is running while everything stands still for longer than its limit, and for some of the zygote's looks before
/// and afterwards.
void stop_for_longer_than_the_limit(std::chrono::milliseconds time) {
  constexpr auto limit = 300ms, some_looks = 70ms;
  const shared<std::atomic<int>> running, go_on;
  const auto compute = [&] {
    const auto end = std::chrono::steady_clock::now() + some_looks;
    while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
  };
  const auto task = [&](std::int64_t x, task_context&) {
    if (x == 1) {
      compute();
      *running = 1;
      while (*go_on == 0) std::this_thread::yield();
      compute();
    }
    while (x == 7) ::pause();
    return answer(x);
  };
  auto workers = make_pool(task, {.n_jobs = 2, .task_timeout = limit});
  std::thread other([&] {
    wait_until([&] { return *running == 1; }, "the task runs");
    stand_still(time);
    *go_on = 1;
  });
  std::int64_t x = 0;
  for (const auto& result : workers.map_outcomes(arguments(10))) {
    if (x == 7)
      expect(dynamic_cast<const task_timeout*>(&result.error()) != nullptr, "the limit still holds afterwards");
    else
      expect(result.has_value() && result.value() == answer(x), "time in which all stood still is not counted");
    ++x;
  }
  other.join();
}

} // namespace

FAULT("S9", "SIGSTOP and SIGCONT of the whole group, two limits apart, time out no task") {
  stop_for_longer_than_the_limit(600ms);
}
FAULT("S9-long", "SIGSTOP and SIGCONT of the whole group, more than a second apart, time out no task") {
  stop_for_longer_than_the_limit(1200ms);
}

// --- S10

FAULT("S10", "the reader of a pipe or socket that the host closes while a pool lives sees its end") {
  pipe_pair conversation;
  int ends[2];
  expect(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "a pair of sockets can be made"); // no O_CLOEXEC
  const base::unique_fd peer(ends[0]);
  base::unique_fd own(ends[1]);
  auto workers = make_pool(usual, {.n_jobs = 2});
  expect_healthy(workers, 20);
  for (const pid_t pid : worker_pids()) ::kill(pid, SIGKILL); // the replacements do not have them either
  expect_healthy(workers, 20);
  conversation.writing.reset();
  own.reset();
  for (const int fd : {conversation.reading.get(), peer.get()}) {
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
    char byte = 0;
    expect(::read(fd, &byte, 1) == 0, "the reader sees the end at once");
  }
}
