// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/terminal_screen.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <support/catch.hpp>
#include <support/pseudo_terminal.hpp>
#include <support/terminal_emulator.hpp>

#include "host_loggers.hpp"
#include "snapshots.hpp"

// Bars on a pseudo-terminal, with log lines above them, read as a person sees them.

namespace lk::parallel {
namespace {

using std::chrono::milliseconds;
using testing::last_snapshot;
using testing::pseudo_terminal;
using testing::snapshot_at;
using testing::standard_streams_on;
using testing::terminal_emulator;

constexpr report::bar_style plain{};

/// What the terminal's rows hold in the end, scrolled ones included.
std::vector<std::string> lines_of(const std::string& text, std::size_t columns, std::size_t rows) {
  terminal_emulator screen(columns, rows);
  screen.feed(text);
  return screen.lines();
}

std::string bar(milliseconds elapsed, std::size_t done, std::size_t columns, const std::string& label = "scoring") {
  return report::bar_line(snapshot_at(elapsed, done, label), columns - 1, plain);
}

/// A registered logger that writes bare texts to a console sink of that class.
template <class Sink> std::shared_ptr<spdlog::logger> console_logger(const std::string& name) {
  auto logger = std::make_shared<spdlog::logger>(name, std::make_shared<Sink>());
  logger->set_pattern("%v");
  spdlog::register_logger(logger);
  return logger;
}

/// True where the log lines of each thread ("3: 17") are whole, on rows of their own, and in order.
bool are_whole_and_in_order(const std::vector<std::string>& lines, int n_threads, int n_each) {
  std::vector<int> next(static_cast<std::size_t>(n_threads), 0);
  for (const std::string& line : lines) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) return false;
    auto& expected = next.at(std::stoul(line));
    if (line.substr(colon + 2) != std::to_string(expected++) + " is a line of some length") return false;
  }
  return std::all_of(next.begin(), next.end(), [&](int n) { return n == n_each; });
}

} // namespace

TEST_CASE("several bars stand below each other, and the cursor at the first") {
  pseudo_terminal terminal(80, 24);
  {
    report::terminal_screen screen(terminal.fd(), plain);
    int one, other;
    screen.draw(&one, snapshot_at(milliseconds(0), 1, "one"));
    screen.draw(&other, snapshot_at(milliseconds(0), 2, "other"));
    screen.draw(&one, snapshot_at(milliseconds(500), 300, "one"));
  }
  terminal_emulator seen(80, 24);
  seen.feed(terminal.text());
  CHECK(seen.lines() == std::vector{bar(milliseconds(500), 300, 80, "one"), bar(milliseconds(0), 2, 80, "other")});
  CHECK(seen.row() == 0);
  CHECK(seen.column() == 0);
}

TEST_CASE("the last line of a finished bar stays above the others") {
  pseudo_terminal terminal(80, 4);
  report::terminal_screen screen(terminal.fd(), plain);
  int nested[5], outer;
  screen.draw(&outer, snapshot_at(milliseconds(0), 1, "outer"));
  for (int& each : nested) {
    screen.draw(&each, snapshot_at(milliseconds(0), 1, "nested"));
    screen.finish(&each, last_snapshot(milliseconds(0), 1000, "nested"));
  }
  screen.finish(&outer, last_snapshot(milliseconds(0), 1000, "outer"));
  const auto lines = lines_of(terminal.text(), 80, 4);
  REQUIRE(lines.size() == 6);
  for (std::size_t i = 0; i < 5; ++i) CHECK_THAT(lines[i], testing::contains("nested  ###############  100%"));
  CHECK_THAT(lines[5], testing::contains("outer  ###############  100%"));
}

TEST_CASE("of more bars than rows, as many are drawn as fit") {
  pseudo_terminal terminal(80, 4);
  report::terminal_screen screen(terminal.fd(), plain);
  std::vector<int> bars(10);
  for (int& each : bars) screen.draw(&each, snapshot_at(milliseconds(0), 1));
  for (int& each : bars) screen.remove(&each);
  int last;
  screen.draw(&last, snapshot_at(milliseconds(0), 7, "last"));
  CHECK(lines_of(terminal.text(), 80, 4) == std::vector{bar(milliseconds(0), 7, 80, "last")});
}

TEST_CASE("bars follow the width of the terminal, down to a narrow one") {
  pseudo_terminal terminal(100, 24);
  report::terminal_screen screen(terminal.fd(), plain);
  int one;
  screen.draw(&one, snapshot_at(milliseconds(0), 1));
  terminal.resize(20, 24);
  screen.draw(&one, snapshot_at(milliseconds(200), 2));
  const std::string text = terminal.text();
  const std::size_t second = text.rfind(report::wipe_below); // what may have been folded goes first
  CHECK(lines_of(text.substr(0, second), 100, 24) == std::vector{bar(milliseconds(0), 1, 100)});
  CHECK(lines_of(text.substr(second), 20, 24) == std::vector{bar(milliseconds(200), 2, 20)});
}

TEST_CASE("a log line redraws the bars in the width that the terminal has by then") {
  const testing::host_loggers host;
  pseudo_terminal terminal(100, 24);
  report::terminal_screen screen(terminal.fd(), plain);
  {
    const standard_streams_on moved(terminal);
    int one;
    const auto logger = console_logger<spdlog::sinks::stderr_color_sink_mt>("log");
    screen.draw(&one, snapshot_at(milliseconds(0), 1));
    terminal.resize(40, 24);
    logger->info("narrow now");
    screen.remove(&one);
  }
  const std::string text = terminal.text();
  CHECK_THAT(text, testing::contains("narrow now\r\n" + bar(milliseconds(0), 1, 40) + "\x1b[J"));
}

TEMPLATE_TEST_CASE("log lines of many threads stand whole and in order above the bars", "",
                   spdlog::sinks::stdout_color_sink_mt, spdlog::sinks::stderr_color_sink_mt,
                   spdlog::sinks::stdout_sink_mt, spdlog::sinks::stderr_sink_mt) {
  constexpr int n_threads = 4, n_each = 100;
  const testing::host_loggers host;
  pseudo_terminal terminal(80, 10);
  {
    const standard_streams_on moved(terminal);
    report::terminal_screen screen(STDERR_FILENO, plain);
    const auto logger = console_logger<TestType>("log");
    int one, other;
    screen.draw(&one, snapshot_at(milliseconds(0), 0, "one"));
    screen.draw(&other, snapshot_at(milliseconds(0), 0, "other"));
    std::atomic<int> n_logging{n_threads};
    std::vector<std::jthread> threads;
    for (int t = 0; t < n_threads; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < n_each; ++i) logger->info("{}: {} is a line of some length", t, i);
        --n_logging;
      });
    for (std::size_t i = 0; n_logging > 0; ++i) screen.draw(i % 2 ? &one : &other, snapshot_at({}, i % 1000, "any"));
    threads.clear();
    screen.draw(&one, snapshot_at(milliseconds(100), 1, "one"));
    screen.draw(&other, snapshot_at(milliseconds(100), 2, "other"));
    logger->info("0: {} is a line of some length", n_each);
  }
  auto lines = lines_of(terminal.text(), 80, 10);
  REQUIRE(lines.size() == n_threads * n_each + 3);
  CHECK(lines.back() == bar(milliseconds(100), 2, 80, "other"));
  lines.pop_back();
  CHECK(lines.back() == bar(milliseconds(100), 1, 80, "one"));
  lines.pop_back();
  CHECK(lines.back() == "0: 100 is a line of some length");
  lines.pop_back();
  CHECK(are_whole_and_in_order(lines, n_threads, n_each));
}

TEST_CASE("an asynchronous logger's lines stand above the bar, too") {
  const testing::host_loggers host;
  pseudo_terminal terminal(80, 10);
  {
    const standard_streams_on moved(terminal);
    report::terminal_screen screen(STDERR_FILENO, plain);
    int one;
    auto pool = std::make_shared<spdlog::details::thread_pool>(64, 1);
    const auto logger = std::make_shared<spdlog::async_logger>(
        "async", std::make_shared<spdlog::sinks::stdout_color_sink_mt>(), pool, spdlog::async_overflow_policy::block);
    logger->set_pattern("%v");
    spdlog::register_logger(logger);
    screen.draw(&one, snapshot_at(milliseconds(0), 1));
    for (int i = 0; i < 3; ++i) logger->info("line {}", i);
    pool.reset(); // joins its thread, which has written all lines by then
  }
  CHECK(lines_of(terminal.text(), 80, 10) == std::vector<std::string>{"line 0", "line 1", "line 2", bar({}, 1, 80)});
}

TEST_CASE("a pattern set while a bar is shown is kept, and the next line stands above the bar again") {
  const testing::host_loggers host;
  pseudo_terminal terminal(80, 10);
  {
    const standard_streams_on moved(terminal);
    report::terminal_screen screen(STDERR_FILENO, plain);
    const auto logger = console_logger<spdlog::sinks::stdout_color_sink_mt>("log");
    int one;
    screen.draw(&one, snapshot_at(milliseconds(0), 1));
    logger->set_pattern("<%v>");
    screen.draw(&one, snapshot_at(milliseconds(100), 2));
    logger->info("inside");
    screen.finish(&one, last_snapshot(milliseconds(200), 1000));
    logger->info("after");
  }
  const auto lines = lines_of(terminal.text(), 80, 10);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "<inside>");
  CHECK_THAT(lines[1], testing::contains("100%"));
  CHECK(lines[2] == "<after>");
}

TEST_CASE("sinks that write elsewhere are left alone") {
  const testing::host_loggers host;
  pseudo_terminal terminal(80, 10), elsewhere(80, 10);
  {
    const standard_streams_on moved(elsewhere);
    report::terminal_screen screen(terminal.fd(), plain);
    const auto logger = console_logger<spdlog::sinks::stdout_sink_mt>("log");
    int one;
    screen.draw(&one, snapshot_at(milliseconds(0), 1));
    logger->info("a line");
  }
  CHECK(elsewhere.text() == "a line\r\n");
}

TEST_CASE("after the last bar a log line is what it was before") {
  const testing::host_loggers host;
  pseudo_terminal terminal(80, 10);
  {
    const standard_streams_on moved(terminal);
    report::terminal_screen screen(STDERR_FILENO, plain);
    const auto logger = console_logger<spdlog::sinks::stderr_sink_mt>("log");
    int one;
    screen.draw(&one, snapshot_at(milliseconds(0), 1));
    screen.remove(&one);
    logger->info("a line");
  }
  CHECK(terminal.text().ends_with("\r\x1b[Ja line\r\n"));
}

} // namespace lk::parallel
