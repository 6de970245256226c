// lk-parallel | SPDX-License-Identifier: MIT
#include "front/back_ends.hpp"
#include "support/catch.hpp"
#include "support/in_child.hpp"

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <mutex>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <lk/parallel.hpp>

using namespace lk::parallel;

namespace {

/// Keeps what a logger of the host says.
struct memory_sink final : spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    lines.emplace_back(message.payload.data(), message.payload.size());
  }
  void flush_() override {}

  std::ptrdiff_t count(const std::string& line) {
    const std::lock_guard lock(mutex_); // threads of the host log meanwhile
    return std::ranges::count(lines, line);
  }
  std::vector<std::string> lines;
};

struct registered_logger {
  explicit registered_logger(const std::string& logger_name) : name(logger_name) {
    auto logger = std::make_shared<spdlog::logger>(name, sink);
    spdlog::register_logger(logger);
  }
  ~registered_logger() { spdlog::drop(name); }
  std::string name;
  std::shared_ptr<memory_sink> sink = std::make_shared<memory_sink>();
};

} // namespace

TEST_CASE("what a task logs reaches the host's logger of the same name before the task's result") {
  FOR_EVERY_BACK_END(which);
  const registered_logger host("recommender");
  invoker inv{0,
              [](const int&, int x) {
                spdlog::get("recommender")->info("user {} of {{}}", x);
                spdlog::get("recommender")->debug("not for the host");
                return x;
              },
              which.options()};
  std::size_t n = 0;
  for (const int x : inv.map(std::views::iota(0, 200))) {
    const std::string line = "user " + std::to_string(x) + " of {}";
    REQUIRE(host.sink->count(line) == 1);
    ++n;
  }
  REQUIRE(n == 200);
  REQUIRE(host.sink->lines.size() == 200);
}

TEST_CASE("the last line before a crash arrives before the crash is reported") {
  const registered_logger host("recommender");
  invoker inv{0,
              [](const int&, int x) {
                if (x == 3) {
                  spdlog::get("recommender")->warn("about to divide by zero");
                  ::raise(SIGFPE);
                }
                return x;
              },
              {.n_jobs = 2}};
  try {
    for ([[maybe_unused]] const int x : inv.map(std::views::iota(0, 10))) {
    }
    FAIL("nothing was thrown");
  } catch (const worker_lost& lost) {
    REQUIRE(lost.last_log_lines == "about to divide by zero");
    REQUIRE_THAT(lost.what(), testing::contains("about to divide by zero"));
  }
  REQUIRE(host.sink->count("about to divide by zero") == 1);
}

TEST_CASE("lines of several threads of a task all arrive") {
  const registered_logger host("recommender");
  invoker inv{0,
              [](const int&, int) {
                const auto talk = [] {
                  for (int i = 0; i < 20; ++i) spdlog::get("recommender")->info("a line");
                };
                std::thread first(talk), second(talk);
                first.join();
                second.join();
                return 0;
              },
              {.n_jobs = 2}};
  std::size_t n = 0;
  for ([[maybe_unused]] const int x : inv.map(std::views::iota(0, 50))) n += 40;
  REQUIRE(host.sink->lines.size() == n);
}

TEST_CASE("invokers made while other threads of the host log never hang") {
  const registered_logger host("recommender");
  std::vector<std::jthread> talkers;
  for (int i = 0; i < 3; ++i)
    talkers.emplace_back([&](std::stop_token stop) {
      const auto null_logger =
          std::make_shared<spdlog::logger>("quiet", std::make_shared<spdlog::sinks::null_sink_mt>());
      while (!stop.stop_requested()) {
        null_logger->info("still here");
        (void)spdlog::get("recommender");
      }
    });
  for (int round = 0; round < 100; ++round) {
    invoker inv{0, [](const int&, int x) { return x; }, {.n_jobs = 2}};
    int n = 0;
    for ([[maybe_unused]] const int x : inv.map(std::views::iota(0, 10))) ++n;
    REQUIRE(n == 10);
  }
}

TEST_CASE("the first task of a worker prints in one piece, though the host has printed before") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_DIRECT) == 0); // each write is a packet of its own
  REQUIRE(testing::in_child([&] {
            ::dup2(ends[1], STDOUT_FILENO);
            std::puts("a line of the host");
            std::fflush(stdout);
            invoker inv{0,
                        [](const int&, int x) {
                          std::puts("first line");
                          std::puts("second line");
                          return x;
                        },
                        {.n_jobs = 1, .where = execution::processes}};
            int n = 0;
            for ([[maybe_unused]] const int x : inv.map(std::views::iota(0, 2))) ++n;
            return n == 2 ? 0 : 1;
          }) == testing::exited(0));
  ::close(ends[1]);
  std::vector<std::string> packets;
  char packet[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], packet, sizeof packet)) > 0;)
    packets.emplace_back(packet, static_cast<std::size_t>(n));
  ::close(ends[0]);
  const std::string of_task = "first line\nsecond line\n";
  CHECK(packets == std::vector<std::string>{"a line of the host\n", of_task, of_task});
}

TEST_CASE("what a task prints comes out in one piece, though all workers print at once") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  REQUIRE(testing::in_child([&] {
            ::dup2(ends[1], STDOUT_FILENO);
            ::close(ends[0]);
            ::close(ends[1]);
            invoker inv{0,
                        [](const int&, int x) {
                          const std::string line(99, static_cast<char>('a' + x));
                          for (int i = 0; i < 50; ++i) std::puts(line.c_str()); // more than PIPE_BUF
                          return x;
                        },
                        {.n_jobs = 4}};
            int n = 0;
            for ([[maybe_unused]] const int x : inv.map(std::views::iota(0, 6))) ++n;
            return n == 6 ? 0 : 1;
          }) == testing::exited(0));
  ::close(ends[1]);
  std::string all(100'000, ' ');
  std::size_t size = 0;
  for (ssize_t n = 0; (n = ::read(ends[0], all.data() + size, all.size() - size)) > 0;)
    size += static_cast<std::size_t>(n);
  ::close(ends[0]);
  REQUIRE(size == 30'000); // less than half a pipe, which nobody reads until the end
  for (std::size_t at = 0; at < size; at += 5'000) {
    const std::string task = all.substr(at, 5'000);
    REQUIRE(std::ranges::count(task, task[0]) == 4950);
  }
}
