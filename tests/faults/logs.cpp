// lk-parallel | SPDX-License-Identifier: MIT
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/progress.hpp>

#include <support/sanitizers.hpp>

#include "faults/every_back_end.hpp"
#include "faults/fault.hpp"
#include "faults/pool.hpp"

// L: log lines of tasks on their way to the host's loggers, more of them than there is room for, damaged ones, and a
// host that logs and makes invokers at the same time.

namespace lk::parallel::faults {
namespace {

/// What a logger of the host was told.
struct heard {
  spdlog::level::level_enum level;
  std::string logger, text, file;
  int line;
  std::size_t thread;
  spdlog::log_clock::time_point time;
};

class memory_sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  std::vector<heard> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> all;
    for (heard& one : lines()) all.push_back(std::move(one.text));
    return all;
  }
  /// Called for each line, in the thread that logs it.
  std::function<void()> on_line;

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (on_line) on_line();
    lines_.push_back({message.level,
                      {message.logger_name.data(), message.logger_name.size()},
                      {message.payload.data(), message.payload.size()},
                      message.source.filename ? message.source.filename : "",
                      message.source.line,
                      message.thread_id,
                      message.time});
  }
  void flush_() override {}

  std::vector<heard> lines_;
};

/// A registered logger of the host for the time of its life, at level trace.
class host_logger {
 public:
  explicit host_logger(std::string name) : name_(std::move(name)) {
    spdlog::drop(name_);
    const auto logger = std::make_shared<spdlog::logger>(name_, sink);
    logger->set_level(spdlog::level::trace);
    spdlog::register_logger(logger);
  }
  ~host_logger() { spdlog::drop(name_); }
  host_logger(const host_logger&) = delete;
  host_logger& operator=(const host_logger&) = delete;

  const std::shared_ptr<memory_sink> sink = std::make_shared<memory_sink>();

 private:
  std::string name_;
};

std::shared_ptr<spdlog::logger> talk() { return spdlog::get("talk"); }

std::size_t count_from(const std::vector<heard>& lines, spdlog::level::level_enum level) {
  return static_cast<std::size_t>(
      std::count_if(lines.begin(), lines.end(), [&](const heard& one) { return one.level >= level; }));
}

/// The numbers N of all "N log lines" that the library's logger was told of.
std::vector<std::size_t> told_dropped(memory_sink& library) {
  std::vector<std::size_t> all;
  for (const heard& one : library.lines()) {
    const auto at = one.text.find(" log lines");
    if (at == std::string::npos) continue;
    expect(one.level == spdlog::level::warn, "what was dropped is told as a warning");
    const auto begin = one.text.find_last_not_of("0123456789", at - 1) + 1;
    all.push_back(std::strtoull(one.text.c_str() + begin, nullptr, 10));
  }
  return all;
}

constexpr std::size_t n_lines = 100'000;

} // namespace

FAULT("L1-away", "a host that is busy in its loop body does not hold back a task that logs: lines below warn that find "
                 "no room are dropped and counted, warnings and results wait") {
  const host_logger host("talk"), library("lk.parallel");
  const shared<std::atomic<std::size_t>> n_said;
  const shared<std::atomic<bool>> host_is_away;
  constexpr std::size_t n_warnings = 10;
  pool workers = make_pool(
      [&](std::int64_t x, task_context&) {
        if (x != 1) return answer(x);
        while (!*host_is_away) ::poll(nullptr, 0, 1);
        for (std::size_t i = 0; i < n_lines; ++i) {
          talk()->info("{:06} {}", i, std::string(80, '.'));
          n_said->fetch_add(1);
        }
        for (std::size_t i = 0; i < n_warnings; ++i) talk()->warn("{:06} a warning", n_lines + i);
        return answer(x);
      },
      {.n_jobs = 1, .where = execution::processes});
  std::int64_t n = 0;
  for (const std::string& result : workers.map(arguments(3))) {
    *host_is_away = true;
    if (n == 0) wait_until([&] { return *n_said == n_lines; }, "the task says all it has to say");
    expect(result == answer(n++), "results are right");
  }
  expect(n == 3, "all results arrive");

  const auto lines = host.sink->lines();
  const auto dropped = told_dropped(*library.sink);
  expect(count_from(lines, spdlog::level::warn) == n_warnings, "every warning arrives");
  expect(dropped.size() == 1, "what was dropped is told once for one pause");
  expect(dropped[0] > n_lines / 2, "most found no room");
  expect(lines.size() - n_warnings + dropped[0] == n_lines, "each line arrives or is counted");
  for (std::size_t i = 1; i < lines.size(); ++i) expect(lines[i - 1].text < lines[i].text, "lines arrive in order");
}

FAULT("L1-slow-sink",
      "100,000 lines from two workers to a slow sink: every warning and every result arrives, each other "
      "line arrives or is counted") {
  const host_logger host("talk"), library("lk.parallel");
  constexpr std::size_t n_tasks = 100, lines_each = n_lines / n_tasks, warnings_each = lines_each / 100;
  volatile unsigned spun = 0;
  host.sink->on_line = [&] {
    for (int i = 0; i < 2000; ++i) spun = spun + 1;
  };
  pool workers = make_pool(
      [](std::int64_t x, task_context&) {
        for (std::size_t i = 0; i < lines_each; ++i)
          talk()->log(i % 100 == 99 ? spdlog::level::warn : spdlog::level::info, "{} {} {}", x, i,
                      std::string(80, '.'));
        return answer(x);
      },
      {.n_jobs = 2});
  expect_healthy(workers, n_tasks);

  std::size_t n_dropped = 0;
  for (const std::size_t n : told_dropped(*library.sink)) n_dropped += n;
  const auto lines = host.sink->lines();
  expect(count_from(lines, spdlog::level::warn) == n_tasks * warnings_each, "every warning arrives");
  expect(lines.size() + n_dropped == n_lines, "each line arrives or is counted");
}

FAULT("L2", "the line before a crash arrives before the crash is told, and is in the error") {
  const host_logger host("talk"), library("lk.parallel");
  pool workers = make_pool(
      [](std::int64_t x, task_context&) {
        talk()->info("begin {}", x);
        if (x % 5 != 3) return answer(x);
        talk()->info("about to crash at {}", x);
        ::raise(x == 3 ? SIGSEGV : SIGKILL);
        return answer(x);
      },
      {.n_jobs = 2});
  std::int64_t x = 0;
  for (const auto& one : workers.map_outcomes(arguments(20))) {
    const auto texts = host.sink->texts();
    const auto was_heard = [&](const std::string& text) { return std::count(texts.begin(), texts.end(), text) == 1; };
    expect(was_heard("begin " + std::to_string(x)), "what a task says arrives before its outcome");
    if (x % 5 == 3) {
      const std::string last = "about to crash at " + std::to_string(x);
      expect(was_heard(last), "its last words, too");
      const auto& lost = dynamic_cast<const worker_lost&>(one.error());
      expect(lost.task == static_cast<std::size_t>(x), "the error names the task");
      expect(lost.last_log_lines.ends_with("begin " + std::to_string(x) + "\n" + last), "and holds what was said last");
    } else {
      expect(one.value() == answer(x), "the other tasks are unharmed");
    }
    ++x;
  }
  expect(x == 20, "every task has an outcome");
}

FAULT("L3", "two hundred invokers are made while three threads of the host log and use the registry; none hangs") {
  const auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>("/dev/null");
  const auto logger = std::make_shared<spdlog::logger>("talk", file);
  spdlog::register_logger(logger);
  {
    std::vector<std::jthread> talkers;
    for (int i = 0; i < 3; ++i)
      talkers.emplace_back([&, i](std::stop_token stop) {
        const std::string own = "talker " + std::to_string(i);
        for (; !stop.stop_requested(); ::poll(nullptr, 0, 1)) { // leaves the CPUs to those who make invokers
          for (int burst = 0; burst < 50; ++burst) {
            talk()->info("still here");
            spdlog::register_logger(std::make_shared<spdlog::logger>(own, file));
            spdlog::drop(own);
          }
        }
      });
    // A sanitizer has locks of its own that are copied while they are held, so that a launch takes several forks.
    const int n_invokers = testing::under_sanitizer ? 20 : 200;
    for (int round = 0; round < n_invokers; ++round) {
      pool workers = make_pool(
          [](std::int64_t x, task_context&) {
            talk()->info("task {}", x);
            return answer(x);
          },
          {.n_jobs = 1, .where = execution::processes});
      expect_healthy(workers, 3);
    }
  }
  spdlog::drop("talk");
}

namespace {

/// Makes a logger the default one for the time of its life.
class default_logger {
 public:
  default_logger() { spdlog::set_default_logger(std::make_shared<spdlog::logger>("", sink)); }
  ~default_logger() { spdlog::set_default_logger(before_); }
  default_logger(const default_logger&) = delete;
  default_logger& operator=(const default_logger&) = delete;

  const std::shared_ptr<memory_sink> sink = std::make_shared<memory_sink>();

 private:
  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
};

constexpr int line_of_logging = __LINE__ + 6;

/// Logs at every level; gives the id of its thread.
std::string log_at_every_level(std::int64_t, task_context&) {
  for (int level = spdlog::level::trace; level <= spdlog::level::critical; ++level) {
    // clang-format off
    talk()->log(spdlog::source_loc{__FILE__, __LINE__, __func__}, static_cast<spdlog::level::level_enum>(level), "level {}", level);
    // clang-format on
  }
  spdlog::warn("to the default logger");
  if (!spdlog::get("made in a task")) spdlog::create<spdlog::sinks::basic_file_sink_mt>("made in a task", "/dev/null");
  spdlog::get("made in a task")->warn("from a logger that the host did not know");
  return std::to_string(::gettid());
}

} // namespace

FAULT("L4",
      "level, logger, time, source line and the thread that logged survive; a logger made in a worker is known to "
      "the host") {
  for_every_back_end([](const back_end& which) {
    const host_logger host("talk");
    const default_logger usual;
    spdlog::drop("made in a task");
    pool workers = make_pool(log_at_every_level, which.options());
    const auto before = spdlog::log_clock::now();
    const auto threads = results_of(workers, arguments(1));
    const auto after = spdlog::log_clock::now();
    const auto lines = host.sink->lines();
    expect(lines.size() == 6, "each level arrives once");
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const heard& one = lines[i];
      expect(one.level == static_cast<int>(i) && one.text == "level " + std::to_string(i), "level and text survive");
      expect(one.logger == "talk", "so does the logger's name");
      expect(one.file == __FILE__ && one.line == line_of_logging, "so does the source: " + std::to_string(one.line));
      expect(before <= one.time && one.time <= after, "the time is that of the call");
      expect(std::to_string(one.thread) == threads[0], "the thread is the one that logged");
    }
    expect(usual.sink->texts().front() == "to the default logger", "the default logger is the default logger");
    if (!has_processes(which)) return;
    expect(usual.sink->texts().back() == "from a logger that the host did not know",
           "a new logger uses the usual sinks");
    expect(usual.sink->lines().back().logger == "made in a task", "under its own name");
    expect(spdlog::get("made in a task") != nullptr, "and the host knows it from then on");
  });
  spdlog::drop("made in a task");
}

FAULT("L5-sink", "a sink that throws, whatever it throws, is reported once and does the map no harm") {
  const host_logger library("lk.parallel");
  for (const bool is_standard : {true, false}) {
    const host_logger host("talk");
    host.sink->on_line = [is_standard] {
      if (is_standard) throw std::runtime_error("the disk is full");
      throw 42;
    };
    std::size_t n_reports = 0; // to the logger's own error handler: spdlog's business, as for any line of the host
    talk()->set_error_handler([&](const std::string&) { ++n_reports; });
    pool workers = make_pool(
        [](std::int64_t x, task_context&) {
          talk()->info("task {}", x);
          return answer(x);
        },
        {.n_jobs = 2});
    expect_healthy(workers, 50);
    expect(n_reports == 50, "spdlog tells the logger's error handler: " + std::to_string(n_reports));
  }
  const auto reported = library.sink->texts();
  expect(reported.size() == 1, "the library reports it once: " + std::to_string(reported.size()));
  expect(reported[0].find("sink") != std::string::npos, "and says what it was: " + reported[0]);
}

namespace {

struct broken_progress final : Progress {
  broken_progress() : Progress("broken", std::nullopt, "tasks") {}
  void show(const report::progress_snapshot&) override {
    ++n_calls;
    throw std::runtime_error("the terminal is gone");
  }
  int n_calls = 0;
};

} // namespace

FAULT("L5-progress", "a progress display that throws is reported once, switched off, and does the map no harm") {
  for_every_back_end([](const back_end& which) {
    const host_logger library("lk.parallel");
    const auto progress = std::make_shared<broken_progress>();
    pool workers =
        make_pool([](std::int64_t x, task_context&) { return answer(x); }, which.with({.progress = progress}));
    expect_healthy(workers, 50);
    expect_healthy(workers, 50);
    expect(progress->n_calls == 1, "it is called no more");
    const auto reported = library.sink->texts();
    expect(reported.size() == 1, "it is reported once");
    expect(reported[0].find("broken") != std::string::npos &&
               reported[0].find("the terminal is gone") != std::string::npos,
           "by name and with what it threw: " + reported[0]);
  });
}

FAULT("L6", "format characters, invalid UTF-8, zeros, line ends and a line of 1 MB are data") {
  static const std::vector<std::string> strange{"{} {0} {:d} {{ }} %s %n %",
                                                "\xff\xfe\xc3( \xed\xa0\x80",
                                                std::string("before\0after", 12),
                                                "one\nline\r\nthree\x1b[2J",
                                                "",
                                                std::string(1'000'000, 'x') + "{}",
                                                "the end"};
  for_every_back_end([](const back_end& which) {
    const host_logger host("talk");
    pool workers = make_pool(
        [](std::int64_t x, task_context&) {
          for (const std::string& line : strange) talk()->log(spdlog::level::info, spdlog::string_view_t(line));
          return answer(x);
        },
        which.options());
    expect_healthy(workers, 1);
    expect(host.sink->texts() == strange, "every byte arrives as it was");
    expect_healthy(workers, 4);
    expect(host.sink->lines().size() == 5 * strange.size(), "however many tasks say it");
  });
}

} // namespace lk::parallel::faults
