// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/leak_guard.hpp"
#include "support/ranges.hpp"
#include "support/sanitizers.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <ranges>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lk/parallel.hpp>

using namespace lk::parallel;
using lk::parallel::testing::count;
using lk::parallel::testing::exited;
using lk::parallel::testing::in_child;
using lk::parallel::testing::leak_guard;

namespace {

const std::vector<int> model{10};

/// What map throws when fn dies for argument 7 of 0..99; n_before: the results that came before.
template <class Fn> worker_lost lost_by(Fn die, int& n_before) {
  invoker inv{model,
              [die](const std::vector<int>& m, int x) {
                if (x == 7) die();
                return m[0] + x;
              },
              {.n_jobs = 2}};
  n_before = 0;
  try {
    for (const int result : inv.map(std::views::iota(0, 100))) {
      if (result != 10 + n_before) throw std::logic_error("a wrong result");
      ++n_before;
    }
  } catch (const worker_lost& lost) {
    if (count(inv.map(std::vector<int>{1, 2, 3})) != 3) throw std::logic_error("the invoker is not usable");
    return lost;
  }
  throw std::logic_error("nothing was thrown");
}

std::vector<pid_t> pids_of(const invoker_stats& stats) {
  std::vector<pid_t> pids;
  for (const auto& worker : stats.each) pids.push_back(worker.pid);
  return pids;
}

/// A pipe whose writing end lives in this process and its children only.
struct pipe_pair {
  pipe_pair() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }
  base::unique_fd reading, writing;
};

} // namespace

TEST_CASE("a worker that is killed in a task gives worker_lost with the task and the signal") {
  for (const int signal : {SIGKILL, SIGSEGV, SIGABRT, SIGFPE, SIGILL}) {
    int n_before = 0;
    const auto lost = lost_by([signal] { ::raise(signal); }, n_before);
    CAPTURE(signal, lost.what());
    REQUIRE(n_before == 7);
    REQUIRE(lost.task == 7u);
    REQUIRE(lost.kind == loss_kind::killed);
    REQUIRE(lost.code == signal);
    REQUIRE(lost.attempts == 1);
  }
}

TEST_CASE("a task that exits is a lost worker and never a success") {
  using leave_function = void (*)(int);
  for (const leave_function leave :
       {leave_function{&std::exit}, leave_function{&::_exit}, leave_function{&std::quick_exit}}) {
    int n_before = 0;
    const auto lost = lost_by([leave] { leave(0); }, n_before);
    REQUIRE(lost.task == 7u);
    REQUIRE(lost.kind == loss_kind::exited);
    REQUIRE(lost.code == 0);
    REQUIRE_THAT(lost.what(), testing::contains("exited with status 0 inside a task"));
  }
  int n_before = 0;
  REQUIRE(lost_by([] { std::terminate(); }, n_before).code == SIGABRT);
}

TEST_CASE("what the host registered to run at its exit never runs in a worker") {
  REQUIRE(in_child([] {
            std::atexit([] { ::_exit(55); });
            ::at_quick_exit([] { ::_exit(56); });
            int n_before = 0;
            const auto by_exit = lost_by([] { std::exit(3); }, n_before);
            const auto by_quick_exit = lost_by([] { std::quick_exit(0); }, n_before);
            return by_exit.code == 3 && by_quick_exit.code == 0 ? 0 : 1;
          }) == exited(0));
}

TEST_CASE("a crash that another attempt survives is retried and the results are the same bits") {
  const auto run = [](invoker_options options, bool crash) {
    options.seed = 9;
    invoker inv{model,
                [crash](const std::vector<int>&, int x, task_context& task) {
                  if (crash && x % 50 == 7 && task.attempt() == 1) ::raise(SIGKILL);
                  return task.rng()() + static_cast<unsigned>(x);
                },
                std::move(options)};
    std::vector<std::uint64_t> all;
    for (const auto result : inv.map(std::views::iota(0, 500))) all.push_back(result);
    return all;
  };
  const auto expected = run({.n_jobs = 1}, false);
  REQUIRE(run({.n_jobs = 2, .retries = 1}, true) == expected);
  REQUIRE(run({.n_jobs = 1, .retries = 2}, true) == expected);
}

TEST_CASE("outcomes go on after crashes, in order") {
  invoker inv{model,
              [](const std::vector<int>& m, int x) {
                if (x % 200 == 100) ::raise(SIGSEGV);
                return m[0] + x;
              },
              {.n_jobs = 3}};
  int i = 0, n_lost = 0;
  for (const auto& result : inv.map_outcomes(std::views::iota(0, 1000))) {
    if (i % 200 == 100) {
      REQUIRE(dynamic_cast<const worker_lost&>(result.error()).task == static_cast<std::size_t>(i));
      ++n_lost;
    } else {
      REQUIRE(result.value() == 10 + i);
    }
    ++i;
  }
  REQUIRE(i == 1000);
  REQUIRE(n_lost == 5);
}

TEST_CASE("a task that never ends is timed out and the others go on") {
  const auto stuck = GENERATE(0, 1, 2);
  CAPTURE(stuck);
  invoker inv{model,
              [stuck](const std::vector<int>& m, int x) {
                static volatile int spinning = 0;
                if (x == 5 && stuck == 0)
                  while (true) spinning = spinning + 1;
                if (x == 5 && stuck == 1)
                  while (true) ::pause();
                if (x == 5) {
                  sigset_t all;
                  ::sigfillset(&all);
                  ::sigprocmask(SIG_SETMASK, &all, nullptr);
                  while (true) ::pause();
                }
                return m[0] + x;
              },
              {.n_jobs = 2, .task_timeout = std::chrono::milliseconds(300)}};
  int i = 0;
  for (const auto& result : inv.map_outcomes(std::views::iota(0, 100))) {
    if (i == 5) {
      const auto& late = dynamic_cast<const task_timeout&>(result.error());
      REQUIRE(late.task == 5);
      REQUIRE(late.limit == std::chrono::milliseconds(300));
    } else {
      REQUIRE(result.value() == 10 + i);
    }
    ++i;
  }
  REQUIRE(i == 100);
}

TEST_CASE("the time limit is kept while the consumer is away, and does not touch workers that wait for it") {
  invoker inv{model,
              [](const std::vector<int>&, int x) {
                if (x == 1)
                  while (true) ::pause();
                return std::string(std::size_t{1} << 19, static_cast<char>('a' + x % 20));
              },
              {.n_jobs = 2, .task_timeout = std::chrono::milliseconds(250)}};
  int i = 0;
  for (const auto& result : inv.map_outcomes(std::views::iota(0, 40))) {
    if (i == 0) ::poll(nullptr, 0, 1500); // six limits: what is tested is that time passes
    if (i == 1)
      REQUIRE_THROWS_AS(result.value(), task_timeout);
    else
      REQUIRE(result.value()[0] == 'a' + i % 20);
    ++i;
  }
  REQUIRE(i == 40);
}

TEST_CASE("a task that is timed out may be tried again") {
  invoker inv{model,
              [](const std::vector<int>& m, int x, task_context& task) {
                if (x == 5 && task.attempt() == 1)
                  while (true) ::pause();
                return m[0] + x + task.attempt();
              },
              {.n_jobs = 2, .retries = 1, .task_timeout = std::chrono::milliseconds(250)}};
  int i = 0;
  for (const int result : inv.map(std::views::iota(0, 20))) {
    REQUIRE(result == 10 + i + (i == 5 ? 2 : 1));
    ++i;
  }
  REQUIRE(i == 20);
}

TEST_CASE("an idle worker that is killed costs nothing but its replacement") {
  invoker inv{model, [](const std::vector<int>& m, int x) { return m[0] + x; }, {.n_jobs = 2}};
  for (int round = 0; round < 20; ++round) {
    REQUIRE(count(inv.map(std::views::iota(0, 100))) == 100);
    for (const pid_t pid : pids_of(inv.stats())) ::kill(pid, SIGKILL);
  }
  REQUIRE(count(inv.map(std::views::iota(0, 100))) == 100);
  REQUIRE(inv.stats().workers_started > 2);
}

TEST_CASE("the model is not copied: an idle worker owns less than two megabytes of it") {
  const std::vector<char> large(std::size_t{256} << 20, 'm');
  invoker inv{large, [](const std::vector<char>& m, std::size_t at) { return m[at]; }, {.n_jobs = 2}};
  auto stats = inv.stats();
  for (int round = 0; round < 1000 && stats.each.size() < 2; ++round) { // one may do all before the other is forked
    REQUIRE(count(inv.map(std::views::iota(std::size_t{0}, std::size_t{10'000}))) == 10'000);
    stats = inv.stats();
  }
  REQUIRE(stats.each.size() == 2);
  const std::size_t shadow = testing::under_sanitizer ? std::size_t{8} << 20 : 0; // its own book-keeping
  for (const auto& worker : stats.each) {
    CHECK(worker.private_dirty_bytes > 0);
    CHECK(worker.private_dirty_bytes < (std::size_t{2} << 20) + shadow);
  }
}

TEST_CASE("a model that the host changes after the fork stays as it was in the workers") {
  std::vector<int> changing{1};
  invoker inv{changing, [](const std::vector<int>& m, int) { return m[0]; }, {.n_jobs = 2}};
  changing[0] = 2;
  for (const int seen : inv.map(std::views::iota(0, 10))) REQUIRE(seen == 1);
}

TEST_CASE("what a task prints is seen once and what the host had buffered is not repeated") {
  pipe_pair output;
  REQUIRE(
      in_child([&] {
        ::dup2(output.writing.get(), 1);
        std::setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
        std::printf("host;");
        invoker inv{model, [](const std::vector<int>&, int x) { return std::printf("task %d;", x); }, {.n_jobs = 2}};
        for ([[maybe_unused]] const int n : inv.map(std::views::iota(0, 3))) {
        }
        return 0;
      }) == exited(0));
  output.writing.reset();
  std::string text(4096, '\0');
  const auto n = ::read(output.reading.get(), text.data(), text.size());
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  for (const std::string part : {"host;", "task 0;", "task 1;", "task 2;"}) {
    CAPTURE(text, part);
    REQUIRE(text.find(part) != std::string::npos);
    REQUIRE(text.find(part) == text.rfind(part));
  }
}

TEST_CASE("a pipe that the host closes while a pool lives ends for its reader") {
  pipe_pair conversation;
  invoker inv{model, [](const std::vector<int>&, int x) { return x; }, {.n_jobs = 2}};
  REQUIRE(count(inv.map(std::views::iota(0, 100))) == 100);
  conversation.writing.reset();
  char byte = 0;
  REQUIRE(::read(conversation.reading.get(), &byte, 1) == 0);
}

TEST_CASE("two invokers in two threads do not disturb each other") {
  const auto use = [](int offset, bool& good) {
    for (int round = 0; round < 10; ++round) {
      invoker inv{model, [offset](const std::vector<int>& m, int x) { return m[0] + x + offset; }, {.n_jobs = 2}};
      int i = 0;
      for (const int result : inv.map(std::views::iota(0, 500))) good = good && result == 10 + offset + i++;
      good = good && i == 500;
    }
  };
  bool first_good = true, second_good = true;
  std::thread first([&] { use(1, first_good); }), second([&] { use(2, second_good); });
  first.join();
  second.join();
  REQUIRE(first_good);
  REQUIRE(second_good);
}

TEST_CASE("the host may ignore SIGCHLD or reap every child itself") {
  REQUIRE(in_child([] {
            ::signal(SIGCHLD, SIG_IGN);
            invoker inv{model, [](const std::vector<int>& m, int x) { return m[0] + x; }, {.n_jobs = 2}};
            return count(inv.map(std::views::iota(0, 100))) == 100 ? 0 : 1;
          }) == exited(0));
  REQUIRE(in_child([] {
            ::signal(SIGCHLD, [](int) {
              while (::waitpid(-1, nullptr, WNOHANG) > 0) {
              }
            });
            int n_before = 0;
            const auto lost = lost_by([] { ::raise(SIGKILL); }, n_before);
            return lost.code == SIGKILL && n_before == 7 ? 0 : 1;
          }) == exited(0));
}

TEST_CASE("in a child that the host forks itself, an invoker is inert") {
  invoker inv{model, [](const std::vector<int>& m, int x) { return m[0] + x; }, {.n_jobs = 2}};
  REQUIRE(count(inv.map(std::views::iota(0, 100))) == 100);
  REQUIRE(in_child([&] {
            try {
              inv.map(std::views::iota(0, 1));
              return 1;
            } catch (const usage_error&) {
            }
            { const auto dropped = std::move(inv); } // its destructor must not touch the parent's pool
            return 0;
          }) == exited(0));
  REQUIRE(count(inv.map(std::views::iota(0, 100))) == 100);
}

TEST_CASE("signals to the whole group leave the workers alone") {
  REQUIRE(in_child([] {
            static volatile std::sig_atomic_t handled;
            handled = 0;
            for (const int signal : {SIGINT, SIGHUP, SIGTERM, SIGUSR1})
              ::signal(signal, [](int) { handled = handled + 1; });
            invoker inv{model,
                        [](const std::vector<int>&, int x) {
                          ::signal(SIGALRM, SIG_DFL);
                          return x;
                        },
                        {.n_jobs = 2}};
            if (count(inv.map(std::views::iota(0, 10))) != 10) return 1;
            for (const int signal : {SIGINT, SIGHUP, SIGTERM, SIGUSR1}) ::kill(0, signal);
            if (count(inv.map(std::views::iota(0, 1000))) != 1000) return 2;
            if (inv.stats().workers_started != 2) return 3;
            return handled == 4 ? 0 : 4;
          }) == exited(0));
}

TEST_CASE("nothing is left of a host that was killed, whatever its workers were doing") {
  for (const std::string state : {"idle", "computing", "blocked on a full ring"}) {
    CAPTURE(state);
    // The victim locks a file which its zygote and workers inherit; flock(2): the lock lasts as long as any of them.
    const base::unique_fd file(::memfd_create("alive", MFD_CLOEXEC));
    const std::string path = "/proc/self/fd/" + std::to_string(file.get());
    REQUIRE(in_child([&] {
              static volatile std::size_t sink = 0;
              const int locked = ::open(path.c_str(), O_RDWR);
              if (::flock(locked, LOCK_EX | LOCK_NB) != 0) return 1;
              const auto fn = [state](const std::vector<int>&, int x) {
                if (state == "computing" && x > 0)
                  while (true) sink = sink + 1;
                return std::string(std::size_t{1} << 18, 'x');
              };
              invoker inv{model, fn, {.n_jobs = 2}};
              auto range = inv.map(std::views::iota(0, state == "idle" ? 1 : 1000));
              (void)range.begin(); // now the workers live, and the host reads no more results
              ::kill(::getpid(), SIGKILL);
              return 2;
            }) == testing::killed(SIGKILL));
    const auto limit = base::deadline::after(std::chrono::seconds(10));
    while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && !limit.passed()) ::poll(nullptr, 0, 1);
    REQUIRE(!limit.passed());
  }
}

TEST_CASE("hundreds of invokers made and dropped leave nothing") {
  {
    invoker first{model, [](const std::vector<int>&, int x) { return x; }, {.n_jobs = 2}};
  }
  const leak_guard guard;
  for (int round = 0; round < 300; ++round) {
    invoker inv{model, [](const std::vector<int>&, int x) { return x; }, {.n_jobs = 2}};
    if (round % 3 != 0) REQUIRE(count(inv.map(std::views::iota(0, round))) == static_cast<std::size_t>(round));
  }
  REQUIRE(guard.difference() == "");
}

TEST_CASE("map may be called from a thread that ends while the invoker lives on") {
  invoker inv{model, [](const std::vector<int>& m, int x) { return m[0] + x; }, {.n_jobs = 2}};
  for (int round = 0; round < 10; ++round) {
    std::size_t n = 0;
    std::thread([&] { n = count(inv.map(std::views::iota(0, 200))); }).join();
    REQUIRE(n == 200);
  }
}
