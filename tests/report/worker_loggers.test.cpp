// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/worker_loggers.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <lk/parallel/report/log_replay.hpp>
#include <lk/parallel/report/registry_lock.hpp>
#include <support/catch.hpp>

#include "child_records.hpp"
#include "host_loggers.hpp"

// What a forked child logs comes out of the host's loggers, and nothing of the host is touched on the way.

namespace lk::parallel {
namespace {

using testing::records_of_child;

/// Runs fn as a worker's code runs, and replays what it logged in this process.
testing::child_result log_in_worker(const std::function<int()>& fn) {
  const auto child = records_of_child([&](report::outlet& out) {
    report::silence_loggers();
    report::probe_console_lock();
    report::relay_loggers(out, 3);
    return fn();
  });
  for (const auto& record : child.records) report::replay(record);
  return child.end;
}

std::vector<std::string> awkward_texts() {
  return {"plain",
          "{} {0:d} %s %n {",
          std::string("a\0b", 3),
          "\xff\xfe\xc3\x28 is not UTF-8",
          "two\nlines\r\t\x1b[31m",
          "",
          std::string(1 << 20, 'x'),
          "last"};
}

} // namespace

TEST_CASE("what a worker logs comes out of the host's logger of the same name, byte for byte and in order") {
  testing::host_loggers host;
  const auto own = std::make_shared<testing::recording_sink>();
  spdlog::register_logger(std::make_shared<spdlog::logger>("als", own));
  REQUIRE(log_in_worker([] {
            for (const std::string& text : awkward_texts()) {
              spdlog::default_logger()->log(spdlog::level::info, spdlog::string_view_t(text));
              spdlog::get("als")->log(spdlog::level::info, spdlog::string_view_t(text));
            }
            return 0;
          }) == testing::exited(0));
  CHECK((host.sink->texts() == awkward_texts()));
  CHECK((own->texts() == awkward_texts()));
}

TEST_CASE("level, time, source and thread of a worker's record survive") {
  testing::host_loggers host;
  spdlog::default_logger()->set_level(spdlog::level::trace);
  spdlog::info("this thread's id is known to spdlog before the fork");
  const auto before = std::chrono::system_clock::now();
  REQUIRE(log_in_worker([] {
            for (int level = spdlog::level::trace; level < spdlog::level::off; ++level)
              spdlog::log(spdlog::source_loc{"als.cpp", 40 + level, "train"},
                          static_cast<spdlog::level::level_enum>(level), "level {}", level);
            std::thread([] { spdlog::info("another thread"); }).join();
            return 0;
          }) == testing::exited(0));
  const auto after = std::chrono::system_clock::now();
  const auto records = host.sink->records();
  REQUIRE(records.size() == 8);
  for (std::size_t i = 1; i < 7; ++i) {
    CHECK(records[i].level == static_cast<int>(i) - 1);
    CHECK(records[i].line == 40 + records[i].level);
    CHECK(records[i].file == "als.cpp");
    CHECK(records[i].function == "train");
    CHECK(records[i].time >= before);
    CHECK(records[i].time <= after);
    CHECK(records[i].thread == records[1].thread);
  }
  CHECK(records[1].thread != records[0].thread); // not the forking thread's id
  CHECK(records[7].thread != records[1].thread);
}

TEST_CASE("a record knows its worker") {
  testing::host_loggers host;
  const auto child = records_of_child([](report::outlet& out) {
    report::silence_loggers();
    report::relay_loggers(out, 3);
    spdlog::warn("from a worker");
    return 0;
  });
  REQUIRE(child.records.size() == 1);
  CHECK(report::decode_log_record(child.records[0]).worker == 3);
}

TEST_CASE("a level that the host's logger drops is not even sent") {
  testing::host_loggers host;
  const auto child = records_of_child([](report::outlet& out) {
    report::silence_loggers();
    report::relay_loggers(out, 0);
    spdlog::debug("below info");
    return 0;
  });
  CHECK(child.end == testing::exited(0));
  CHECK(child.records.empty());
}

TEST_CASE("loggers made in a worker are relayed from their first record on, queued ones too") {
  testing::host_loggers host;
  spdlog::init_thread_pool(8, 1); // its thread is not in the child
  REQUIRE(log_in_worker([] {
            spdlog::stdout_color_mt("coloured")->warn("one");
            spdlog::create_async<spdlog::sinks::stderr_color_sink_mt>("queued")->warn("two");
            spdlog::default_logger()->clone("twin")->warn("three");
            spdlog::shutdown(); // ends the queue's thread after its work
            return 0;
          }) == testing::exited(0));
  spdlog::details::registry::instance().set_tp(nullptr);
  auto texts = host.sink->texts();
  std::sort(texts.begin(), texts.end());
  CHECK(texts == std::vector<std::string>{"one", "three", "two"});
  CHECK(spdlog::get("coloured") != nullptr);
  CHECK(spdlog::get("queued") != nullptr);
}

TEST_CASE("a host's async logger works in a worker, also through a pointer from before the fork") {
  testing::host_loggers host;
  const auto own = std::make_shared<testing::recording_sink>();
  const auto pool = std::make_shared<spdlog::details::thread_pool>(8, 1);
  const std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::async_logger>("queued", own, pool);
  spdlog::register_logger(logger);
  logger->flush_on(spdlog::level::info);
  logger->set_level(spdlog::level::debug);
  const auto child = records_of_child([&](report::outlet& out) {
    report::silence_loggers();
    report::relay_loggers(out, 0);
    for (int i = 0; i < 100; ++i) logger->debug("record {}", i); // far more than the queue holds
    logger->flush();
    spdlog::get("queued")->info("by name");
    return 0;
  });
  CHECK(child.end == testing::exited(0));
  REQUIRE(child.records.size() == 101);
  CHECK(report::decode_log_record(child.records[0]).logger == "queued");
  CHECK(report::decode_log_record(child.records[99]).text == "record 99");
}

TEST_CASE("the host's sinks are neither used nor destroyed in a child, even when their loggers are dropped") {
  struct fragile_sink : spdlog::sinks::sink {
    explicit fragile_sink(int& n) : touched(n) {}
    ~fragile_sink() override { ++touched; }
    void log(const spdlog::details::log_msg&) override { ++touched; }
    void flush() override { ++touched; }
    void set_pattern(const std::string&) override { ++touched; }
    void set_formatter(std::unique_ptr<spdlog::formatter>) override { ++touched; }
    int& touched;
  };
  int touched = 0;
  testing::host_loggers host;
  spdlog::register_logger(std::make_shared<spdlog::logger>("fragile", std::make_shared<fragile_sink>(touched)));
  spdlog::get("fragile")->flush_on(spdlog::level::trace);
  REQUIRE(log_in_worker([&] {
            spdlog::get("fragile")->warn("to nobody");
            spdlog::get("fragile")->flush();
            spdlog::set_pattern("%v");
            spdlog::drop_all();
            return touched;
          }) == testing::exited(0));
}

TEST_CASE("a sink whose lock is held at the fork does not hang a worker") {
  struct slow_sink : testing::recording_sink {
    void sink_it_(const spdlog::details::log_msg&) override {
      entered = true;
      while (!leave) std::this_thread::yield();
    }
    std::atomic<bool> entered{false}, leave{false};
  };
  testing::host_loggers host;
  const auto sink = std::make_shared<slow_sink>();
  const auto logger = std::make_shared<spdlog::logger>("slow", sink);
  logger->enable_backtrace(4);
  spdlog::register_logger(logger);
  std::thread busy([&] { logger->warn("holds the lock of its sink"); });
  while (!sink->entered) std::this_thread::yield();
  const auto child = records_of_child([&](report::outlet& out) {
    report::silence_loggers();
    report::relay_loggers(out, 0);
    logger->warn("through");
    logger->dump_backtrace();
    return 0;
  });
  sink->leave = true;
  busy.join();
  CHECK(child.end == testing::exited(0));
  CHECK(child.records.size() == 1);
}

TEST_CASE("a record that cannot be formatted is told through the library's logger") {
  testing::host_loggers host;
  REQUIRE(log_in_worker([] {
            spdlog::default_logger()->log(spdlog::level::warn, fmt::runtime("{:d}"), "not a number");
            return 0;
          }) == testing::exited(0));
  REQUIRE(host.sink->records().size() == 1);
  CHECK(host.sink->records()[0].logger == "lk.parallel");
  CHECK_THAT(host.sink->texts()[0], testing::contains("could not be logged"));
}

TEST_CASE("a silenced child logs to nobody") {
  testing::host_loggers host;
  REQUIRE(testing::in_child([&] {
            report::silence_loggers();
            spdlog::error("in the zygote");
            return static_cast<int>(host.sink->records().size());
          }) == testing::exited(0));
}

TEST_CASE("a child that a task forks by itself cannot spoil the worker's records") {
  testing::host_loggers host;
  REQUIRE(log_in_worker([] {
            const pid_t pid = ::fork();
            if (pid == 0) {
              spdlog::error("from a grandchild");
              ::_exit(0);
            }
            ::waitpid(pid, nullptr, 0);
            spdlog::error("from the worker");
            return 0;
          }) == testing::exited(0));
  CHECK(host.sink->texts() == std::vector<std::string>{"from the worker"});
}

TEST_CASE("an outlet that throws costs the record and nothing else") {
  struct broken_outlet final : report::outlet {
    void send(report::record_kind, std::span<const std::byte>, report::urgency) override {
      throw std::runtime_error("the host is gone");
    }
  };
  testing::host_loggers host;
  REQUIRE(testing::in_child([] {
            report::silence_loggers();
            broken_outlet out;
            report::relay_loggers(out, 0);
            spdlog::error("lost");
            return 0;
          }) == testing::exited(0));
}

TEST_CASE("threads of a worker that log at once send whole records") {
  testing::host_loggers host;
  const auto child = records_of_child([](report::outlet& out) {
    report::silence_loggers();
    report::relay_loggers(out, 0);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([t] {
        for (int i = 0; i < 500; ++i) spdlog::info("{} {}", t, std::string(static_cast<std::size_t>(i), 'x'));
      });
    threads.clear();
    return 0;
  });
  REQUIRE(child.end == testing::exited(0));
  REQUIRE(child.records.size() == 2000);
  for (const auto& record : child.records) REQUIRE_NOTHROW(report::decode_log_record(record));
}

} // namespace lk::parallel
