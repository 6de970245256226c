// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/config/cgroup.hpp>
#include <lk/parallel/config/environment.hpp>
#include <lk/parallel/errors.hpp>
#include <lk/parallel/initialize.hpp>
#include <support/in_child.hpp>
#include <support/procfs.hpp>
#include <support/temporary_folder.hpp>
#include <threads/rendezvous.hpp>

#include "faults/every_back_end.hpp"
#include "faults/fault.hpp"
#include "faults/host_tools.hpp"
#include "faults/pool.hpp"
#include "faults/run_time_backends.hpp"

// Nesting, threads, configuration.

using namespace lk::parallel;
using namespace lk::parallel::faults;
using testing::exited;
using testing::in_child;

// --- N1

FAULT("N1", "an invoker inside a task runs in place, whatever it asks for, on every back end") {
  for_every_back_end([](const testing::back_end& outer) {
    const auto task = [](std::int64_t x, task_context&) {
      const auto outer_thread = std::this_thread::get_id();
      const auto inner_task = [outer_thread, pid = ::getpid()](std::int64_t y, task_context&) {
        expect(std::this_thread::get_id() == outer_thread && ::getpid() == pid, "the inner task runs in place");
        return answer(y);
      };
      for (const execution where : {execution::automatic, execution::threads, execution::processes}) {
        auto inner = make_pool(inner_task, {.n_jobs = 4, .where = where});
        expect_healthy(inner, 5);
      }
      return answer(x);
    };
    auto workers = make_pool(task, outer.options());
    expect_healthy(workers, 10);
  });
}

FAULT("N1-own-thread", "an invoker that a thread of a task's own makes in a worker runs in place") {
  const auto task = [](std::int64_t x, task_context&) {
    std::thread own([] {
      const auto inner_task = [pid = ::getpid()](std::int64_t y, task_context&) {
        expect(::getpid() == pid, "the inner task is in the same process");
        return answer(y);
      };
      for (const execution where :
           {execution::automatic, execution::sequential, execution::threads, execution::processes}) {
        auto inner = make_pool(inner_task, {.n_jobs = 2, .where = where});
        expect_healthy(inner, 5);
      }
    });
    own.join();
    return answer(x);
  };
  auto workers = make_pool(task, {.n_jobs = 2, .where = execution::processes});
  expect_healthy(workers, 6);
}

FAULT("N1-two-threads", "two invokers used from two threads at once are both right, on every back end") {
  for_every_back_end([](const testing::back_end& which) {
    const auto use = [&which](std::int64_t offset) {
      const auto task = [offset](std::int64_t x, task_context&) { return answer(x + offset); };
      auto workers = make_pool(task, which.options());
      for (int round = 0; round < 3; ++round) {
        std::int64_t x = 0;
        for (const std::string& result : workers.map(arguments(100)))
          expect(result == answer(offset + x++), "each invoker gives its own results");
      }
    };
    std::thread first(use, 1000), second(use, 2000);
    first.join();
    second.join();
  });
}

// --- N2

namespace {

/// Who is inside a parallel region, by thread.
class region {
 public:
  void run() {
    now_inside(+1);
    {
      const std::lock_guard lock(mutex_);
      threads_.insert(std::this_thread::get_id());
    }
    std::this_thread::yield(); // room for others to come
    now_inside(-1);
  }
  int most_at_once() const { return most_; }
  int n_threads() const { return static_cast<int>(threads_.size()); }

 private:
  void now_inside(int change) {
    const int inside = inside_ += change;
    int most = most_;
    while (inside > most && !most_.compare_exchange_weak(most, inside)) {
    }
  }
  std::atomic<int> inside_{0}, most_{0};
  std::mutex mutex_;
  std::set<std::thread::id> threads_;
};

/// A pool of two workers in which this runs once as a task, with the number of threads that it may use.
void in_a_worker(const std::function<void(int)>& fn) {
  const int n_threads = get_parallel_config().child_threads;
  auto workers = make_pool(
      [&](std::int64_t x, task_context&) {
        if (x == 1) fn(n_threads);
        return answer(x);
      },
      {.n_jobs = 2});
  expect_healthy(workers, 3);
}

void with_two_and_three_child_threads(const char* fault, const std::function<void(int)>& in_task) {
  if (std::getenv("LK_NUM_CHILD_THREADS") != nullptr) return in_a_worker(in_task);
  for (const char* n_threads : {"2", "3"})
    if (in_fresh_process(fault, "LK_NUM_CHILD_THREADS", n_threads)) return;
}

template <class Fn> void tbb_loop(int n, Fn fn) {
  oneapi::tbb::parallel_for(0, n, fn, oneapi::tbb::simple_partitioner());
}

/// CPU time of each thread of this process. Units: nanoseconds.
std::map<std::string, long> cpu_times() {
  std::map<std::string, long> times;
  for (const std::string& thread : testing::names_in("/proc/self/task"))
    times[thread] = std::atol(base::read_small_file("/proc/self/task/" + thread + "/schedstat").value_or("0").c_str());
  return times;
}

} // namespace

FAULT("N2-tbb", "oneTBB in a worker runs on child_threads threads, also where its loops are nested") {
  with_two_and_three_child_threads("N2-tbb", [](int n) {
    testing::rendezvous meeting(static_cast<std::size_t>(n));
    tbb_loop(n, [&](int) { expect(meeting.meet(), "that many threads are there at the same time"); });
    region all;
    tbb_loop(50, [&](int) { tbb_loop(10, [&](int) { all.run(); }); });
    expect(all.most_at_once() <= n && all.n_threads() <= n, "there are no more of them");
  });
}

// On the thread that runs the task itself OpenMP keeps child_threads, also where oneTBB calls it there: nothing tells.
FAULT("N2-openmp",
      "OpenMP in a worker runs on child_threads threads, and on one where oneTBB's helping threads call it") {
  const auto omp = openmp::load();
  if (!omp) return skipped("libgomp is not installed");
  with_two_and_three_child_threads("N2-openmp", [&](int n) {
    for (int round = 0; round < 3; ++round) {
      testing::rendezvous meeting(static_cast<std::size_t>(n));
      omp->parallel([&] { expect(meeting.meet(), "that many threads are there at the same time"); });
      expect(meeting.n_threads() == static_cast<std::size_t>(n), "there are no more of them");
    }
    testing::rendezvous meeting(static_cast<std::size_t>(n));
    tbb_loop(n, [&, own = std::this_thread::get_id()](int) {
      expect(meeting.meet(), "each oneTBB thread has one of these tasks");
      region inner;
      omp->parallel([&] { inner.run(); });
      expect(inner.n_threads() == (std::this_thread::get_id() == own ? n : 1), "helping threads get one thread");
    });
  });
}

// OpenBLAS inside a oneTBB task is not sized down to one thread: its count is one for the whole process.
FAULT("N2-blas", "OpenBLAS in a worker computes on child_threads threads") {
  const auto blas = openblas::load();
  if (!blas) return skipped("libopenblas is not installed");
  with_two_and_three_child_threads("N2-blas", [&](int n) {
    expect(blas->n_threads() == n, "OpenBLAS has been given that many");
    expect(blas->multiply(400), "a product is right");
    const auto before = cpu_times();
    for (int round = 0; round < 3; ++round) expect(blas->multiply(400), "a product is right");
    int n_used = 0;
    for (const auto& [thread, time] : cpu_times()) {
      const auto found = before.find(thread);
      if (time - (found == before.end() ? 0 : found->second) > 100'000) ++n_used; // 0.1 of some 10 ms
    }
    expect(n_used == n, "that many threads have computed, not " + std::to_string(n_used));
  });
}

// --- N3

namespace {

/// The value of a variable for the life of the object.
class variable {
 public:
  variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value, 1);
  }
  ~variable() {
    if (before_)
      ::setenv(name_, before_->c_str(), 1);
    else
      ::unsetenv(name_);
  }
  variable(const variable&) = delete;
  variable& operator=(const variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

struct knob {
  const char* name;
  std::optional<int> config::environment_knobs::*value;
  bool minus_one_allowed;
};

constexpr knob knobs[] = {{"LK_NUM_PROCS", &config::environment_knobs::processes, false},
                          {"LK_NUM_THREADS", &config::environment_knobs::threads, false},
                          {"LK_NUM_BACKEND_THREADS", &config::environment_knobs::backend_threads, true},
                          {"LK_NUM_CHILD_THREADS", &config::environment_knobs::child_threads, true}};

void expect_refused(const knob& which, const char* text) {
  const variable set(which.name, text);
  try {
    (void)config::read_environment();
  } catch (const config_error& refused) {
    expect(refused.variable == which.name && refused.text == text, "the error has the variable and its text");
    const std::string what = refused.what();
    return expect(what.find(which.name) != std::string::npos && what.find(text) != std::string::npos,
                  "what() names the variable and its text: " + what);
  }
  expect(false, std::string(which.name) + "=\"" + text + "\" is refused");
}

void expect_taken(const knob& which, const char* text, std::optional<int> value) {
  const variable set(which.name, text);
  expect(config::read_environment().*which.value == value, std::string(which.name) + "=\"" + text + "\" is taken");
}

} // namespace

FAULT("N3", "a knob in the environment is a number, unset where empty, or a config_error that names the variable") {
  for (const knob& which : knobs) {
    for (const char* text : {"0", "abc", "4x", "99999999999", "-2", "1.5", "0x4", "4 4", "+", "-"})
      expect_refused(which, text);
    for (const char* text : {"", " ", "\t\n"}) expect_taken(which, text, std::nullopt);
    expect_taken(which, "4", 4);
    expect_taken(which, " 4 ", 4);
    if (which.minus_one_allowed)
      expect_taken(which, "-1", -1);
    else
      expect_refused(which, "-1");
  }
}

// --- N4

namespace {

/// The CPU quota of a made-up machine whose group has this cpu.max.
std::optional<int> limit_with_quota(const std::optional<std::string>& cpu_max) {
  const testing::temporary_folder root;
  const auto write = [&](const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root.path() / path).parent_path());
    std::ofstream(root.path() / path) << text;
  };
  write("proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
  write("proc/self/cgroup", "0::/job\n");
  if (cpu_max) write("sys/fs/cgroup/job/cpu.max", *cpu_max);
  return config::cgroup_cpu_limit(root.path().string());
}

} // namespace

FAULT("N4", "the CPU count follows the affinity mask, and a cgroup quota where it is a number, rounded up") {
  cpu_set_t before, one;
  expect(::sched_getaffinity(0, sizeof before, &before) == 0, "there is an affinity mask");
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  expect(::sched_setaffinity(0, sizeof one, &one) == 0, "it can be changed, as taskset does");
  const int n_cpus = effective_cpu_count();
  ::sched_setaffinity(0, sizeof before, &before);
  expect(n_cpus == 1, "on one CPU the count is 1");
  expect(effective_cpu_count() >= 1 && effective_cpu_count() <= CPU_COUNT(&before), "on all CPUs it is no more");
  expect(!limit_with_quota("max 100000\n") && !limit_with_quota("") && !limit_with_quota(std::nullopt),
         "\"max\", an empty file and none are no limit");
  expect(limit_with_quota("150000 100000\n") == 2 && limit_with_quota("50000 100000\n") == 1 &&
             limit_with_quota("300000 100000\n") == 3,
         "a quota is rounded up to whole CPUs");
}

// --- N5

namespace {

/// What is logged while fn runs.
std::string logged_during(const std::function<void()>& fn) {
  std::ostringstream text;
  const auto before = spdlog::default_logger();
  spdlog::drop("lk.parallel"); // it may have said something already, as a twin of the logger before
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("N5", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)));
  fn();
  spdlog::drop("lk.parallel");
  spdlog::set_default_logger(before);
  return text.str();
}

int n_warnings(const std::string& log) {
  int n = 0;
  for (std::size_t at = log.find("changes nothing"); at != std::string::npos; at = log.find("changes nothing", at + 1))
    ++n;
  return n;
}

} // namespace

FAULT("N5", "initialize() twice and after use warns and changes nothing") {
  const ParallelConfig before = get_parallel_config();
  auto workers = make_pool(usual, {.n_jobs = 2});
  expect_healthy(workers, 10);
  const parallel_options others{.processes = before.processes + 1, .threads = before.threads + 1};
  const std::string log = logged_during([&] {
    initialize(others);
    initialize(others);
  });
  expect(n_warnings(log) == 2, "each call warns: " + log);
  expect(get_parallel_config() == before, "the knobs are as before");
  expect_healthy(workers, 10);
}

FAULT("N5-threads",
      "of several threads that initialise at once one wins, the others warn, and all see the same knobs") {
  constexpr std::size_t n = 4;
  std::array<ParallelConfig, n> seen;
  const std::string log = logged_during([&] {
    std::atomic<std::size_t> ready{0};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < n; ++i) {
      threads.emplace_back([&, i] {
        ++ready;
        while (ready < n) std::this_thread::yield();
        initialize({.processes = static_cast<int>(i) + 1});
        seen[i] = get_parallel_config();
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  expect(std::count(seen.begin(), seen.end(), seen[0]) == n, "all threads see the same knobs");
  expect(n_warnings(log) >= static_cast<int>(n) - 1, "all but one are told that they changed nothing: " + log);
}

// --- N6

namespace {

/// Random numbers of each task's own stream, as text.
std::string random_numbers(std::int64_t x, task_context& context) {
  std::string text = std::to_string(x);
  for (int i = 0; i < 20; ++i) text += ' ' + std::to_string(context.rng()());
  return text;
}

} // namespace

FAULT("N6", "results are the same bits for 1, 2 and 4 workers, threads and processes, with crashes and retries") {
  const auto run = [](invoker_options options, bool crash) {
    options.seed = 20260101;
    const auto task = [crash](std::int64_t x, task_context& context) {
      if (crash && x % 10 == 3 && context.attempt() == 1) ::raise(SIGKILL);
      return random_numbers(x, context);
    };
    auto workers = make_pool(task, std::move(options));
    return results_of(workers, arguments(60));
  };
  const auto expected = run({.n_jobs = 1, .where = execution::sequential}, false);
  for (const int n : {1, 2, 4}) {
    expect(run({.n_jobs = n, .where = execution::threads}, false) == expected, "threads give the same bits");
    expect(run({.n_jobs = n, .where = execution::processes}, false) == expected, "processes give the same bits");
    expect(run({.n_jobs = n, .where = execution::processes, .retries = 1}, true) == expected,
           "crashes and retries change no bit");
  }
}
