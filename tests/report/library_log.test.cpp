// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/library_log.hpp>

#include <thread>
#include <vector>

#include <support/catch.hpp>

#include "host_loggers.hpp"

// The loggers of the host by name.

namespace lk::parallel {

TEST_CASE("the library's logger has the default logger's sinks and level") {
  testing::host_loggers host;
  spdlog::default_logger()->set_level(spdlog::level::warn);
  const auto logger = report::library_logger();
  CHECK(logger->name() == "lk.parallel");
  CHECK(logger->level() == spdlog::level::warn);
  CHECK(spdlog::get("lk.parallel") == logger);
  logger->info("dropped");
  logger->warn("kept");
  CHECK(host.sink->texts() == std::vector<std::string>{"kept"});
}

TEST_CASE("a logger that the user registered under the library's name is the library's") {
  testing::host_loggers host;
  const auto own = std::make_shared<testing::recording_sink>();
  spdlog::register_logger(std::make_shared<spdlog::logger>("lk.parallel", own));
  report::library_logger()->warn("redirected");
  CHECK(own->texts() == std::vector<std::string>{"redirected"});
  CHECK(host.sink->texts().empty());
}

TEST_CASE("a sentence with braces is said as it is") {
  testing::host_loggers host;
  report::warn("a path {}, and {0}");
  CHECK(host.sink->texts() == std::vector<std::string>{"a path {}, and {0}"});
}

TEST_CASE("asking for a logger leaves the pattern of the shared sinks alone") {
  struct own_formatter : spdlog::formatter {
    void format(const spdlog::details::log_msg&, spdlog::memory_buf_t&) override {}
    std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<own_formatter>(); }
  };
  struct watching_sink : testing::recording_sink {
    void set_formatter_(std::unique_ptr<spdlog::formatter>) override { ++changes; }
    int changes = 0;
  };
  testing::host_loggers host;
  const auto sink = std::make_shared<watching_sink>();
  spdlog::default_logger()->sinks() = {sink};
  spdlog::default_logger()->set_formatter(std::make_unique<own_formatter>());
  report::library_logger();
  CHECK(sink->changes == 1);
}

TEST_CASE("there is a logger even where the default one was dropped") {
  testing::host_loggers host;
  spdlog::drop_all();
  REQUIRE(report::library_logger() != nullptr);
  report::library_logger()->error("to nobody");
  CHECK(report::library_logger() == spdlog::get("lk.parallel"));
}

TEST_CASE("threads that ask for a new logger at once get the same one") {
  testing::host_loggers host;
  for (int round = 0; round < 50; ++round) {
    const std::string name = "round " + std::to_string(round);
    std::vector<std::shared_ptr<spdlog::logger>> found(4);
    {
      std::vector<std::jthread> threads;
      for (auto& slot : found) threads.emplace_back([&slot, &name] { slot = report::logger_named(name); });
    }
    for (const auto& logger : found) REQUIRE(logger == found[0]);
  }
}

TEST_CASE("an error that cannot be logged does not escape") {
  struct broken_sink : testing::recording_sink {
    void sink_it_(const spdlog::details::log_msg&) override { throw 1; }
  };
  testing::host_loggers host;
  spdlog::default_logger()->sinks() = {std::make_shared<broken_sink>()};
  report::report_error("expected on stderr in this test");
}

} // namespace lk::parallel
