// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/registry_lock.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <spdlog/sinks/basic_file_sink.h>

#include <lk/parallel/report/worker_loggers.hpp>
#include <support/catch.hpp>
#include <support/in_child.hpp>

#include "host_loggers.hpp"

// Forking while the registry is in use by others.

namespace lk::parallel {
namespace {

struct counting_outlet final : report::outlet {
  void send(report::record_kind, std::span<const std::byte>, report::urgency) override { ++records; }
  int records = 0;
};

/// What a fresh zygote and then a worker do with loggers, in one process.
int use_loggers() {
  report::silence_loggers();
  counting_outlet out;
  report::relay_loggers(out, 0);
  spdlog::warn("the default logger");
  spdlog::get("shared")->warn("a logger of the host");
  spdlog::basic_logger_mt("made in the child", "/dev/null")->warn("a new logger");
  return out.records == 3 ? 0 : 1;
}

/// Logs, makes loggers and drops them until told to stop.
void keep_loggers_busy(const std::string& name, const std::atomic<bool>& stop) {
  while (!stop) {
    spdlog::get("shared")->warn("{} is at work", name);
    spdlog::warn("so is {}", name);
    spdlog::basic_logger_mt(name, "/dev/null")->warn("new");
    spdlog::drop(name);
  }
}

int fork_among_busy_loggers(int rounds) {
  spdlog::set_default_logger(spdlog::basic_logger_mt("default", "/dev/null"));
  const auto shared = spdlog::basic_logger_mt("shared", "/dev/null");
  std::atomic<bool> stop{false};
  std::vector<std::jthread> threads;
  for (const char* name : {"a", "b", "c"}) threads.emplace_back([=, &stop] { keep_loggers_busy(name, stop); });
  int failures = 0;
  for (int round = 0; round < rounds; ++round) {
    pid_t pid = -1;
    report::run_with_registry_locked([&] { pid = ::fork(); });
    if (pid == 0) ::_exit(use_loggers());
    int status = -1;
    ::waitpid(pid, &status, 0); // a child that hangs is killed with the group
    failures += status != 0;
  }
  stop = true;
  return failures;
}

} // namespace

TEST_CASE("fn runs once while the registry is locked") {
  testing::host_loggers host;
  for (const char* name : {"one", "two", "three"}) spdlog::register_logger(std::make_shared<spdlog::logger>(name));
  int runs = 0;
  report::run_with_registry_locked([&] { ++runs; });
  CHECK(runs == 1);
  CHECK(spdlog::get("one") != nullptr); // the lock is free again
}

TEST_CASE("fn runs once also where no logger is registered") {
  testing::host_loggers host;
  spdlog::drop_all();
  int runs = 0;
  report::run_with_registry_locked([&] { ++runs; });
  CHECK(runs == 1);
}

TEST_CASE("an exception of fn comes out and leaves the registry usable") {
  testing::host_loggers host;
  REQUIRE_THROWS_AS(report::run_with_registry_locked([] { throw std::runtime_error("no fork today"); }),
                    std::runtime_error);
  CHECK(spdlog::get("") != nullptr);
}

TEST_CASE("another thread waits for the registry until fn returns") {
  testing::host_loggers host;
  std::atomic<bool> inside{false}, got{false};
  bool got_early = false;
  std::thread other;
  report::run_with_registry_locked([&] {
    other = std::thread([&] {
      inside = true;
      spdlog::get("");
      got = true;
    });
    while (!inside) std::this_thread::yield();
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    got_early = got;
  });
  other.join();
  CHECK_FALSE(got_early);
}

TEST_CASE("the console's lock is free where nobody logs") { report::probe_console_lock(); }

TEST_CASE("forks among threads that log and register loggers never hang") {
  const auto end = testing::in_child([] { return fork_among_busy_loggers(200); }, std::chrono::seconds{120});
  CHECK(end == testing::exited(0));
}

} // namespace lk::parallel
