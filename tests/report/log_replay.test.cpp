// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/log_replay.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <spdlog/async.h>

#include <support/catch.hpp>

#include "host_loggers.hpp"

// Records said again in the host.

namespace lk::parallel {
namespace {

report::log_record example(std::string logger, std::string text) {
  report::log_record record;
  record.level = spdlog::level::warn;
  record.worker = 2;
  record.thread = 12345;
  record.time = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
  record.line = 42;
  record.file = "als.cpp";
  record.function = "train";
  record.logger = std::move(logger);
  record.text = std::move(text);
  return record;
}

template <class Thrown> struct throwing_sink : testing::recording_sink {
  explicit throwing_sink(Thrown what) : thrown(what) {}
  void sink_it_(const spdlog::details::log_msg&) override { throw thrown; }
  Thrown thrown;
};

} // namespace

TEST_CASE("a replayed record keeps its logger, level, time, thread, source and text") {
  testing::host_loggers host;
  report::replay(example("als", "{} is 100 % data"));
  REQUIRE(host.sink->records().size() == 1);
  const auto got = host.sink->records().front();
  CHECK(got.logger == "als");
  CHECK(got.level == spdlog::level::warn);
  CHECK(got.time == example("", "").time);
  CHECK(got.thread == 12345);
  CHECK(got.file == "als.cpp");
  CHECK(got.line == 42);
  CHECK(got.function == "train");
  CHECK(got.text == "{} is 100 % data");
}

TEST_CASE("a record goes to the host's logger of its name, under that logger's level") {
  testing::host_loggers host;
  const auto own = std::make_shared<testing::recording_sink>();
  const auto logger = std::make_shared<spdlog::logger>("als", own);
  spdlog::register_logger(logger);
  report::replay(example("als", "kept"));
  logger->set_level(spdlog::level::err);
  report::replay(example("als", "dropped"));
  CHECK(own->texts() == std::vector<std::string>{"kept"});
  CHECK(host.sink->texts().empty());
}

TEST_CASE("a record without a source location has none in the host") {
  testing::host_loggers host;
  auto record = example("", "no source");
  record.file.clear();
  record.function.clear();
  record.line = 0;
  report::replay(record);
  CHECK(host.sink->records().front().line == 0);
  CHECK(host.sink->records().front().file.empty());
}

TEST_CASE("a logger name for each record does not register loggers without end") {
  testing::host_loggers host;
  constexpr int n = 3000;
  for (int i = 0; i < n; ++i) report::replay(example("task " + std::to_string(i), "done"));
  REQUIRE(host.sink->records().size() == n);
  CHECK(host.sink->records().back().logger == "task 2999");
  int n_registered = 0;
  spdlog::apply_all([&](const std::shared_ptr<spdlog::logger>&) { ++n_registered; });
  CHECK(n_registered > 100);
  CHECK(n_registered < 1100);
}

TEST_CASE("source locations outlive the record in an async logger and in a backtrace") {
  testing::host_loggers host;
  const std::string file = "a name too long for a small string to hold it in place.cpp";
  const auto sink = std::make_shared<testing::recording_sink>();
  auto pool = std::make_shared<spdlog::details::thread_pool>(64, 1);
  const auto logger = std::make_shared<spdlog::async_logger>("queued", sink, pool);
  logger->enable_backtrace(8);
  logger->set_level(spdlog::level::err);
  spdlog::register_logger(logger);
  {
    auto record = example("queued", "later");
    record.file = file;
    report::replay(record);
  }
  logger->dump_backtrace();
  pool.reset(); // its thread takes what is queued, and ends
  REQUIRE(sink->records().size() == 3);
  CHECK(sink->records()[1].text == "later");
  CHECK(sink->records()[1].file == file);
}

TEST_CASE("a sink that throws is no concern of the one who replays") {
  testing::host_loggers host;
  int handled = 0;
  const auto good = std::make_shared<testing::recording_sink>();
  const auto bad = std::make_shared<throwing_sink<std::runtime_error>>(std::runtime_error("disk full"));
  const auto worse = std::make_shared<throwing_sink<int>>(3);
  const auto one = std::make_shared<spdlog::logger>("one", spdlog::sinks_init_list{bad, good});
  one->set_error_handler([&](const std::string&) { ++handled; });
  spdlog::register_logger(one);
  const auto two = std::make_shared<spdlog::logger>("two", worse);
  two->set_error_handler([](const std::string&) { throw std::runtime_error("the handler throws too"); });
  spdlog::register_logger(two);
  for (int i = 0; i < 10; ++i) {
    report::replay(example("one", "to a full disk"));
    report::replay(example("two", "to nowhere"));
  }
  CHECK(handled == 10);
  CHECK(good->records().size() == 10);
  CHECK(host.sink->records().size() == 1); // one report of the library
  CHECK(host.sink->records().front().logger == "lk.parallel");
}

TEST_CASE("bytes that are no record are refused") {
  testing::host_loggers host;
  const std::vector<std::byte> bytes(9, std::byte{1});
  REQUIRE_THROWS_AS(report::replay(bytes), wire_error);
}

} // namespace lk::parallel
