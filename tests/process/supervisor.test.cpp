// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/leak_guard.hpp"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <sys/mman.h>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <lk/parallel/process/supervisor.hpp>

using namespace lk::parallel;
using process::running_task;
using process::supervisor;

namespace {

/// What came of a map, by index.
struct collector final : process::answer_sink {
  void on_result(std::uint64_t index, int, const wire::message& message) override {
    const auto value = wire::reader(message.bytes).get<std::uint64_t>();
    message.require_intact();
    results[index] = value;
  }
  void on_plain_results(std::uint64_t first, std::size_t n, const std::byte* bytes) override {
    for (std::size_t i = 0; i < n; ++i, bytes += sizeof results[first])
      std::memcpy(&results[first + i], bytes, sizeof results[first]);
  }
  void on_error(std::uint64_t index, std::exception_ptr what) override {
    try {
      std::rethrow_exception(what);
    } catch (const task_error& failed) {
      failures[index] = failed.message;
    } catch (...) {
      losses[index] = what;
    }
  }
  std::size_t n() const { return results.size() + failures.size() + losses.size(); }

  std::map<std::uint64_t, std::uint64_t> results;
  std::map<std::uint64_t, std::string> failures;
  std::map<std::uint64_t, std::exception_ptr> losses;
};

worker_lost loss(const collector& sink, std::uint64_t index) {
  try {
    std::rethrow_exception(sink.losses.at(index));
  } catch (const worker_lost& lost) {
    return lost;
  }
}

process::pool_spec spec_for(int n_workers, int retries = 0) {
  process::pool_spec spec;
  spec.n_workers = n_workers;
  spec.retries = retries;
  return spec;
}

/// Runs n tasks whose arguments are their indices.
void run(supervisor& pool, process::task_entry entry, std::uint64_t n, collector& sink) {
  const std::atomic<bool> interrupted{false};
  pool.begin_map({.entry = entry});
  std::uint64_t sent = 0;
  while (sink.n() < n) {
    for (; sent < n && pool.has_room(); ++sent) pool.submit([&](wire::writer& out) { out.put(sent); });
    const std::size_t before = sink.n();
    pool.pump(sink);
    if (sink.n() == before) pool.wait(interrupted, base::deadline::never());
  }
}

void square(void*, running_task& task) {
  const auto x = task.argument.get<std::uint64_t>();
  task.sender->begin().put(x * x);
}

void require_squares(const collector& sink, std::uint64_t n) {
  for (std::uint64_t i = 0; i < n; ++i)
    if (sink.losses.count(i) == 0 && sink.results.at(i) != i * i) FAIL("task " << i << " has a wrong result");
}

/// The shared mapping that holds this worker's status line and result ring: what it may write.
std::vector<std::span<std::byte>> writable_shared_memory() {
  std::vector<std::span<std::byte>> found;
  std::istringstream maps(base::read_small_file("/proc/self/maps").value_or(""));
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    char rights[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights) == 3 && std::string(rights) == "rw-s")
      found.emplace_back(reinterpret_cast<std::byte*>(begin), end - begin);
  }
  return found;
}

} // namespace

TEST_CASE("a pool runs tasks over several maps and leaves nothing behind") {
  const testing::leak_guard guard;
  {
    supervisor pool(spec_for(3));
    for (int map = 0; map < 20; ++map) {
      collector sink;
      run(pool, &square, 500, sink);
      REQUIRE(sink.results.size() == 500);
      require_squares(sink, 500);
    }
    REQUIRE(pool.workers_started() == 3);
  }
  REQUIRE(guard.difference() == "");
}

TEST_CASE("a worker that dies in a task is blamed for that task alone and replaced") {
  supervisor pool(spec_for(2));
  collector sink;
  run(
      pool,
      [](void* state, running_task& task) {
        if (task.index == 57) ::raise(SIGKILL);
        square(state, task);
      },
      1000, sink);
  REQUIRE(sink.results.size() == 999);
  REQUIRE(sink.losses.size() == 1);
  const auto lost = loss(sink, 57);
  REQUIRE(lost.task == 57u);
  REQUIRE(lost.kind == loss_kind::killed);
  REQUIRE(lost.code == SIGKILL);
  REQUIRE(lost.attempts == 1);
  require_squares(sink, 1000);
  REQUIRE(pool.workers_started() == 3);
}

TEST_CASE("a task is attempted as often as allowed and no more") {
  supervisor pool(spec_for(2, 2));
  collector sink;
  run(
      pool,
      [](void* state, running_task& task) {
        if (task.index == 5) ::_exit(3);
        if (task.index == 9 && task.attempt < 3) ::raise(SIGSEGV);
        square(state, task);
      },
      100, sink);
  REQUIRE(sink.results.size() == 99);
  REQUIRE(loss(sink, 5).attempts == 3);
  REQUIRE(loss(sink, 5).kind == loss_kind::exited);
  REQUIRE(loss(sink, 5).code == 3);
  require_squares(sink, 100);
}

TEST_CASE("workers that die one after the other before they have started a task end the map, and the forking") {
  auto spec = spec_for(2);
  spec.in_worker = [](int) { ::raise(SIGKILL); };
  supervisor pool(spec);
  collector sink;
  REQUIRE_THROWS_AS(run(pool, &square, 1000, sink), resource_error);
  REQUIRE(pool.workers_started() <= 7); // two to begin with, and the fourth death in a row is the last
}

TEST_CASE("tasks that all crash are each told of, however many they are") {
  supervisor pool(spec_for(2, 5));
  collector sink;
  run(
      pool, [](void*, running_task&) { ::raise(SIGKILL); }, 10, sink);
  REQUIRE(sink.losses.size() == 10);
  for (std::uint64_t index = 0; index < 10; ++index) REQUIRE(loss(sink, index).attempts == 6);
}

TEST_CASE("a pool may have more workers than the line between host and zygote holds messages") {
  const testing::leak_guard guard;
  {
    auto spec = spec_for(700);
    spec.task_ring_bytes = spec.result_ring_bytes = 4096;
    supervisor pool(spec);
    collector sink;
    run(pool, &square, 3000, sink);
    require_squares(sink, 3000);
  }
  REQUIRE(guard.difference() == "");
}

TEST_CASE("messages far larger than the rings arrive whole in both directions") {
  auto spec = spec_for(2);
  spec.task_ring_bytes = spec.result_ring_bytes = 4096;
  supervisor pool(spec);
  struct sum_sink final : process::answer_sink {
    void on_result(std::uint64_t, int, const wire::message& message) override {
      const auto bytes = message.bytes;
      good = good && bytes.size() == 100'000 && bytes.front() == std::byte{1} && bytes.back() == std::byte{1};
      ++n;
    }
    void on_plain_results(std::uint64_t, std::size_t, const std::byte*) override { FAIL("no result is plain"); }
    void on_error(std::uint64_t, std::exception_ptr what) override { std::rethrow_exception(what); }
    int n = 0;
    bool good = true;
  } sink;
  const std::atomic<bool> interrupted{false};
  pool.begin_map({.entry = [](void*, running_task& task) {
    auto bytes = task.argument.take(100'000);
    task.sender->begin().write(bytes.data(), bytes.size());
  }});
  const std::vector<std::byte> argument(100'000, std::byte{1});
  for (int sent = 0; sink.n < 50;) {
    for (; sent < 50 && pool.has_room(); ++sent)
      pool.submit([&](wire::writer& out) { out.write(argument.data(), argument.size()); });
    const int before = sink.n;
    pool.pump(sink);
    if (sink.n == before) pool.wait(interrupted, base::deadline::never());
  }
  REQUIRE(sink.good);
}

TEST_CASE("a worker that writes over everything it can gives no wrong result, and the pool goes on") {
  supervisor pool(spec_for(2));
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    collector sink;
    const auto scribbler = [](void* state, running_task& task) {
      if (task.index == 11) {
        std::mt19937_64 random(task.argument.get<std::uint64_t>() + task.ticket);
        for (const auto pages : writable_shared_memory())
          for (std::size_t i = 0; i + 8 <= pages.size(); i += 8) {
            const std::uint64_t word = random();
            std::memcpy(pages.data() + i, &word, sizeof word);
          }
        ::raise(SIGKILL);
      }
      square(state, task);
    };
    run(pool, scribbler, 200, sink);
    REQUIRE(sink.losses.size() + sink.results.size() == 200); // each task was answered, once
    require_squares(sink, 200);
    for (const auto& [index, what] : sink.losses) {
      REQUIRE(loss(sink, index).task == index);
      REQUIRE(loss(sink, index).kind == loss_kind::protocol);
    }
    collector next;
    run(pool, &square, 200, next);
    REQUIRE(next.results.size() == 200);
    require_squares(next, 200);
  }
}

TEST_CASE("a worker that goes on after scribbling is stopped for breaking the protocol") {
  supervisor pool(spec_for(1));
  collector sink;
  run(
      pool,
      [](void* state, running_task& task) {
        if (task.index == 3) {
          for (const auto pages : writable_shared_memory()) std::memset(pages.data(), 0x5a, pages.size());
          static_cast<process::result_sender*>(task.sender)->tell_host();
          while (true) ::pause();
        }
        square(state, task);
      },
      10, sink);
  REQUIRE(loss(sink, 3).kind == loss_kind::protocol); // finished tasks whose results were written over are lost, too
  require_squares(sink, 10);
}

TEST_CASE("a pool whose zygote was killed says so and leaves nothing behind") {
  const testing::leak_guard guard;
  {
    supervisor pool(spec_for(2));
    collector sink;
    run(pool, &square, 10, sink);
    for (const auto& [pid, name] : testing::process_inventory::take().children)
      if (name.find("lk-zygote") == 0) ::kill(std::stoi(pid), SIGKILL);
    collector never;
    try {
      run(
          pool, [](void*, running_task&) { ::pause(); }, 10, never);
      FAIL("the map came to an end");
    } catch (const worker_lost& lost) {
      REQUIRE(lost.kind == loss_kind::zygote);
      REQUIRE(!lost.task);
    }
    REQUIRE_THROWS_AS(pool.begin_map({.entry = &square}), worker_lost);
  }
  REQUIRE(guard.difference() == "");
}

TEST_CASE("a task that nobody wants any more is ended after a grace, and the next map's tasks are not blamed") {
  const shm::segment shared(4096);
  auto& n_stuck = *new (shared.bytes().data()) std::atomic<int>(0);
  auto spec = spec_for(2);
  spec.function_state = &n_stuck;
  supervisor pool(spec);
  collector sink;
  pool.begin_map({.entry = [](void* state, running_task&) {
    ++*static_cast<std::atomic<int>*>(state);
    while (true) ::pause();
  }});
  for (int sent = 0; sent < 4 && pool.has_room(); ++sent)
    pool.submit([](wire::writer& out) { out.put(std::uint64_t{0}); });
  while (n_stuck < 2) pool.pump(sink); // the workers are forked meanwhile
  pool.abandon_map();
  collector next;
  run(pool, &square, 100, next);
  REQUIRE(next.results.size() == 100);
  require_squares(next, 100);
  REQUIRE(sink.n() == 0);
  REQUIRE(n_stuck == 2);
}

TEST_CASE("a worker that the kernel kills for memory is told as such") {
  const shm::segment shared(4096);
  auto& kills = *new (shared.bytes().data()) std::atomic<std::uint64_t>(0);
  auto spec = spec_for(1); // of two workers that die at once, the kernel does not tell which one it killed
  spec.function_state = &kills;
  spec.count_oom_kills = [&kills] { return kills.load(); };
  supervisor pool(spec);
  collector sink;
  run(
      pool,
      [](void* state, running_task& task) {
        if (task.index == 7) ++*static_cast<std::atomic<std::uint64_t>*>(state);
        if (task.index == 7 || task.index == 30) ::raise(SIGKILL);
        square(state, task);
      },
      60, sink);
  REQUIRE(loss(sink, 7).out_of_memory);
  REQUIRE(loss(sink, 7).peak_rss_bytes > 0);
  REQUIRE_THAT(loss(sink, 7).what(), testing::contains("because memory ran out"));
  REQUIRE(!loss(sink, 30).out_of_memory);
  REQUIRE_THAT(loss(sink, 30).what(), testing::contains("if nobody ended it on purpose"));
}

TEST_CASE("a worker that crashes leaves its stack in the log") {
  const auto before = spdlog::get(report::library_logger_name);
  spdlog::drop(report::library_logger_name);
  std::ostringstream lines;
  spdlog::register_logger(std::make_shared<spdlog::logger>(report::library_logger_name,
                                                           std::make_shared<spdlog::sinks::ostream_sink_mt>(lines)));
  {
    supervisor pool(spec_for(1));
    collector sink;
    run(
        pool,
        [](void* state, running_task& task) {
          if (task.index == 5) ::raise(SIGSEGV);
          square(state, task);
        },
        10, sink);
    REQUIRE(sink.losses.size() == 1);
  }
  spdlog::drop(report::library_logger_name);
  if (before) spdlog::register_logger(before);
  REQUIRE_THAT(lines.str(), testing::contains("worker 0, at task 5, was killed by SIGSEGV"));
  REQUIRE_THAT(lines.str(), testing::contains("\n  #2 "));
}
