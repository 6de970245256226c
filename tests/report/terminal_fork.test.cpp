// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/terminal_progress.hpp>

#include <memory>
#include <string>

#include <spdlog/sinks/stdout_sinks.h>

#include <support/catch.hpp>
#include <support/in_child.hpp>
#include <support/pseudo_terminal.hpp>
#include <support/terminal_emulator.hpp>

#include "host_loggers.hpp"
#include "snapshots.hpp"

// The screen in a forked child: the bars of the parent are not there.

namespace lk::parallel {
namespace {

/// What a terminal got from a child that runs `act` while its parent shows a bar.
template <class Act> std::string text_of_child(Act&& act) {
  const testing::host_loggers host;
  testing::pseudo_terminal terminal(80, 24), childs(80, 24);
  {
    const testing::standard_streams_on moved(terminal);
    report::terminal_screen screen(STDERR_FILENO, {});
    const auto logger = std::make_shared<spdlog::logger>("log", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%v");
    spdlog::register_logger(logger);
    report::terminal_progress parents(screen, "the parent's", 10, "");
    parents.update(2);
    testing::in_child([&] {
      ::dup2(childs.fd(), STDERR_FILENO);
      act(screen, parents, *logger);
      return 0;
    });
  }
  return childs.text();
}

} // namespace

TEST_CASE("a child's log line draws no bar of its parent") {
  CHECK(text_of_child([](auto&, auto& parents, auto& logger) {
          logger.info("from a child");
          parents.update(8);
          parents.finish();
        }) == "from a child\r\n");
}

TEST_CASE("a child's own bar stands alone, and its log line above it") {
  testing::terminal_emulator seen(80, 24);
  seen.feed(text_of_child([](auto& screen, auto&, auto& logger) {
    report::terminal_progress own(screen, "the child's", 10, "");
    own.update(3);
    logger.info("from a child");
  }));
  const auto lines = seen.lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == "from a child");
  CHECK_THAT(lines[1], testing::contains("the child's") && testing::contains("30%"));
}

TEST_CASE("a bar destroyed in a child waits for no lock that another thread held at the fork") {
  const testing::host_loggers host;
  testing::pseudo_terminal terminal(80, 24);
  report::terminal_screen screen(terminal.fd(), {});
  auto bar = std::make_unique<report::terminal_progress>(screen, "the parent's", 10, "");
  bar->update(2);
  const auto end = [&] {
    const report::console_lock held = report::lock_console();
    return testing::in_child([&] {
      bar.reset();
      return 0;
    });
  }();
  CHECK(end == testing::exited(0));
}

} // namespace lk::parallel
