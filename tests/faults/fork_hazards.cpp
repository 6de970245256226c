// lk-parallel | SPDX-License-Identifier: MIT
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <unistd.h>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <lk/parallel/errors.hpp>
#include <lk/parallel/for_chunks.hpp>
#include <lk/parallel/initialize.hpp>
#include <support/in_child.hpp>
#include <threads/rendezvous.hpp>

#include "faults/fault.hpp"
#include "faults/host_tools.hpp"
#include "faults/pool.hpp"
#include "faults/run_time_backends.hpp"

// Fork hazards: what another thread of the host may be in the midst of when the zygote is forked. Pools are made while
// threads of the host hammer the lock in question, and the tasks use it, too.

using namespace lk::parallel;
using namespace lk::parallel::faults;
using namespace std::chrono_literals;
using testing::exited;
using testing::in_child;

namespace {

/// Work that takes n oneTBB threads at once.
void meet_on_tbb(int n) {
  testing::rendezvous meeting(static_cast<std::size_t>(n));
  oneapi::tbb::parallel_for(
      0, n, [&](int) { expect(meeting.meet(), "that many oneTBB threads are there at the same time"); },
      oneapi::tbb::simple_partitioner());
}

/// Runs in a process of its own, which may keep the threads that libraries never end, with two threads a worker.
void in_host_with_two_child_threads(const char* fault, const std::function<void()>& host) {
  if (!in_fresh_process(fault, "LK_NUM_CHILD_THREADS", "2")) return;
  expect(in_child([&] {
           host();
           return 0;
         }) == exited(0),
         "the host gets its results");
}

/// Makes pools whose tasks do this, one after the other, while the host is busy.
void expect_healthy_pools(int n_pools, const std::function<void()>& in_task) {
  const auto task = [&](std::int64_t x, task_context&) {
    in_task();
    return answer(x);
  };
  for (int i = 0; i < n_pools; ++i) {
    auto workers = make_pool(task, {.n_jobs = 2});
    expect_healthy(workers, 6);
  }
}

} // namespace

// --- H1

FAULT("H1", "tasks use oneTBB with all their threads after the host has used it, by itself and for training") {
  in_host_with_two_child_threads("H1", [] {
    for (int round = 0; round < 3; ++round) {
      std::atomic<int> n_chunks{0};
      for_chunks(WorkChunks::create(1000), [&](chunk) { ++n_chunks; });
      oneapi::tbb::parallel_for(0, 1000, [&](int) {});
      expect(n_chunks > 0, "the host trains");
      expect_healthy_pools(1, [] { meet_on_tbb(2); });
    }
  });
}

FAULT("H1-in-use",
      "while another thread of the host uses oneTBB, tasks run their oneTBB loops on one thread, and none hangs") {
  const auto use_tbb = [] {
    oneapi::tbb::parallel_for(0, 100, [](int) {});
    std::this_thread::sleep_for(20us);
  };
  const auto in_task = [] {
    std::atomic<int> n_elsewhere{0};
    oneapi::tbb::parallel_for(0, 100, [&, own = std::this_thread::get_id()](int) {
      n_elsewhere += own == std::this_thread::get_id() ? 0 : 1;
    });
    expect(n_elsewhere == 0, "the loop stays on its thread");
  };
  {
    const busy_host host{use_tbb, use_tbb};
    expect_healthy_pools(5, in_task);
  }
  expect_healthy_pools(1, [] {}); // joins the oneTBB threads that the host's threads have left
}

// --- H2

FAULT("H2", "tasks use OpenMP with all their threads after threads of the host have used it") {
  const auto omp = openmp::load();
  if (!omp) return skipped("libgomp is not installed");
  in_host_with_two_child_threads("H2", [&] {
    const auto use_openmp = [&](std::size_t n) {
      testing::rendezvous meeting(n);
      omp->parallel([&] { expect(meeting.meet(), "that many OpenMP threads are there at the same time"); });
    };
    const auto in_host = [&] { omp->parallel([] {}); };
    in_host();
    expect_healthy_pools(2, [&] { use_openmp(2); });
    const busy_host host{in_host, in_host};
    expect_healthy_pools(5, [&] { use_openmp(2); });
  });
}

// --- H3

// With several threads of OpenBLAS in the host (0.3.21), a fork by anybody while one of its products is computed may
// hang the host itself: its own fork handler ends the threads at work. So it has one here, as initialize() would have
// it.
FAULT("H3", "tasks compute products with OpenBLAS though threads of the host were in the midst of some at the fork") {
  const auto blas = openblas::load();
  if (!blas) return skipped("libopenblas is not installed");
  in_host_with_two_child_threads("H3", [&] {
    blas->set_threads(1);
    const auto multiply = [&] { expect(blas->multiply(100), "a product is right"); };
    const busy_host host{multiply, multiply};
    expect_healthy_pools(5, [&] {
      expect(blas->n_threads() == 2, "a worker has the threads it should have");
      expect(blas->multiply(200), "a product is right");
    });
  });
}

// --- H4: locks that the library promises to take care of

namespace {

void tell_the_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  expect(std::mktime(&parts) == now, "the local time is right");
}

void pause_a_little() { std::this_thread::sleep_for(20us); }

} // namespace

FAULT("H4-localtime", "tasks tell the local time though threads of the host were at it during the fork") {
  const auto in_host = [] {
    for (int i = 0; i < 5; ++i) tell_the_time();
    pause_a_little();
  };
  const busy_host host{in_host, in_host};
  expect_healthy_pools(5, tell_the_time);
}

namespace {

/// Loggers of the host, gone at the end.
class registered_loggers {
 public:
  explicit registered_loggers(const std::vector<std::shared_ptr<spdlog::logger>>& loggers) {
    for (const auto& logger : loggers) {
      names_.push_back(logger->name());
      spdlog::register_logger(logger);
    }
  }
  ~registered_loggers() {
    for (const std::string& name : names_) spdlog::drop(name);
  }
  registered_loggers(const registered_loggers&) = delete;
  registered_loggers& operator=(const registered_loggers&) = delete;

 private:
  std::vector<std::string> names_;
};

std::shared_ptr<spdlog::logger> file_logger(const std::string& name) {
  return std::make_shared<spdlog::logger>(name, std::make_shared<spdlog::sinks::basic_file_sink_mt>("/dev/null"));
}

void log_to(const char* name) { spdlog::get(name)->info("a line of {}", name); }

} // namespace

FAULT("H4-spdlog-sinks", "tasks log though threads of the host were writing to the same file and console sinks") {
  const auto console =
      std::make_shared<spdlog::logger>("H4 console", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  console->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::local, ""));
  const registered_loggers loggers({file_logger("H4 file"), console});
  const auto to_file = [] { log_to("H4 file"); };
  const auto to_console = [] { // writes nothing, under the console's lock
    spdlog::get("H4 console")->info("");
    pause_a_little();
  };
  const busy_host host{to_file, to_file, to_console};
  expect_healthy_pools(5, to_file);
}

FAULT("H4-spdlog-registry", "tasks make and find loggers though threads of the host were making and dropping some") {
  static std::atomic<int> n_made{0};
  const auto make_and_drop = [] {
    const std::string name = "H4 short-lived " + std::to_string(n_made++);
    spdlog::register_logger(std::make_shared<spdlog::logger>(name));
    expect(spdlog::get(name) != nullptr, "a logger is found");
    spdlog::drop(name);
  };
  const busy_host host{make_and_drop, make_and_drop};
  expect_healthy_pools(5, make_and_drop);
}

FAULT("H4-spdlog-async", "tasks log to asynchronous loggers though threads of the host were filling their queue") {
  const auto queue = std::make_shared<spdlog::details::thread_pool>(64, 1);
  {
    const registered_loggers loggers({std::make_shared<spdlog::async_logger>(
        "H4 async", std::make_shared<spdlog::sinks::basic_file_sink_mt>("/dev/null"), queue,
        spdlog::async_overflow_policy::block)});
    const auto log = [] { log_to("H4 async"); };
    const busy_host host{log, log};
    expect_healthy_pools(5, log);
  }
}

FAULT("H4-safe", "malloc, stdio, exceptions and dlopen work in tasks whatever other threads of the host were at") {
  const auto allocate = [] {
    std::vector<std::unique_ptr<char[]>> blocks;
    for (std::size_t size = 1; size < 300'000; size *= 3) blocks.push_back(std::make_unique<char[]>(size));
  };
  static std::FILE* const file = std::fopen("/dev/null", "we");
  const auto print = [] {
    std::fprintf(file, "a line %d\n", 7);
    std::fflush(file);
    std::fflush(nullptr);
  };
  const auto fail = [] {
    try {
      throw std::runtime_error("thrown");
    } catch (const std::exception&) {
    }
  };
  const auto load = [] {
    void* const library = ::dlopen("libm.so.6", RTLD_NOW);
    expect(library != nullptr && ::dlsym(library, "cos") != nullptr, "a library can be loaded");
    ::dlclose(library);
  };
  const auto all = [&] {
    allocate();
    print();
    fail();
    load();
  };
  {
    const busy_host host{allocate, print, fail, load};
    expect_healthy_pools(5, all);
  }
  std::fclose(file);
}

// --- H4: locks that stay locked, as documented; a time limit is the way out

namespace {

/// Of six tasks, those that this is true of wait for a lock for ever; each is told by its time limit, and the other
/// ones have their results.
void expect_timed_out(pool& workers, const std::function<bool(std::int64_t)>& waits) {
  std::int64_t x = 0;
  for (const auto& result : workers.map_outcomes(arguments(6))) {
    if (waits(x)) {
      const auto* const late = dynamic_cast<const task_timeout*>(&result.error());
      expect(late != nullptr && late->task == static_cast<std::size_t>(x), "the waiting task is timed out");
    } else {
      expect(result.has_value() && result.value() == answer(x), "the other tasks have their results");
    }
    ++x;
  }
  expect(x == 6, "the map goes to its end");
}

/// A thread of the host that is inside hold(stay), which takes the lock and calls stay(), for the life of the object.
class held_by_another_thread {
 public:
  using wait = std::function<void()>;
  explicit held_by_another_thread(const std::function<void(const wait& stay)>& hold)
      : thread_([this, hold] {
        hold([this] {
          inside_ = true;
          over_.wait(false);
        });
      }) {
    wait_until([this] { return inside_.load(); }, "another thread holds the lock");
  }
  ~held_by_another_thread() {
    over_ = true;
    over_.notify_one();
    thread_.join();
  }
  held_by_another_thread(const held_by_another_thread&) = delete;
  held_by_another_thread& operator=(const held_by_another_thread&) = delete;

 private:
  std::atomic<bool> inside_{false}, over_{false};
  std::thread thread_;
};

int initialised_slowly(const held_by_another_thread::wait* stay) {
  static const int value = [&] {
    if (stay != nullptr) (*stay)();
    return 7;
  }();
  return value;
}

} // namespace

FAULT("H4-mutex",
      "a mutex that another thread of the host held stays locked in workers, and a time limit ends who waits for it") {
  std::mutex mutex;
  const auto task = [&](std::int64_t x, task_context&) {
    if (x == 2) const std::lock_guard waits_for_ever(mutex);
    return answer(x);
  };
  const held_by_another_thread holder([&](const auto& stay) {
    const std::lock_guard held(mutex);
    stay();
  });
  auto workers = make_pool(task, {.n_jobs = 2, .task_timeout = 100ms});
  expect_timed_out(workers, [](std::int64_t x) { return x == 2; });
}

FAULT("H4-static",
      "a local static that another thread was initialising is never done in workers, and a time limit ends who waits") {
  const auto task = [](std::int64_t x, task_context&) {
    if (x == 2) expect(initialised_slowly(nullptr) == 7, "the value is right");
    return answer(x);
  };
  {
    const held_by_another_thread holder([&](const auto& stay) { initialised_slowly(&stay); });
    auto workers = make_pool(task, {.n_jobs = 2, .task_timeout = 100ms});
    expect_timed_out(workers, [](std::int64_t x) { return x == 2; });
  }
  auto workers = make_pool(task, {.n_jobs = 2}); // now it is done in the host
  expect_healthy(workers, 6);
}

namespace {

/// Pools whose tasks use a lock of the C library that the fork may have copied while held: results are right or timed
/// out, never anything else, and no map hangs.
void expect_results_or_timeouts(const std::function<void()>& use) {
  const busy_host host{use, use};
  const auto task = [&](std::int64_t x, task_context&) {
    if (x % 2 == 1) use();
    return answer(x);
  };
  for (int i = 0; i < 2; ++i) {
    auto workers = make_pool(task, {.n_jobs = 2, .task_timeout = 100ms});
    std::int64_t x = 0;
    for (const auto& result : workers.map_outcomes(arguments(4))) {
      const bool may_wait = x % 2 == 1 && dynamic_cast<const task_timeout*>(result ? nullptr : &result.error());
      expect(may_wait || (result && result.value() == answer(x)), "a task is right, or timed out at the lock");
      ++x;
    }
  }
}

} // namespace

FAULT("H4-setenv", "where the environment's lock was held at the fork, a time limit ends the tasks that wait for it") {
  expect_results_or_timeouts([] { ::setenv("LK_PARALLEL_FAULT_H4", "1", 1); });
  ::unsetenv("LK_PARALLEL_FAULT_H4");
}

FAULT("H4-rand", "where rand's lock was held at the fork, a time limit ends the tasks that wait for it") {
  expect_results_or_timeouts([] {
    for (int i = 0; i < 100; ++i) expect(std::rand() >= 0, "a random number");
  });
}
