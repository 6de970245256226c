// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/progress_text.hpp>

#include <chrono>
#include <cmath>
#include <string>

#include <support/catch.hpp>

#include "snapshots.hpp"

// Progress as text: pure functions of a snapshot.

namespace lk::parallel {

using testing::busy_snapshot;

TEST_CASE("durations are told in minutes, and in hours from one hour on") {
  CHECK(report::duration_text(std::chrono::milliseconds(7900)) == "0:07");
  CHECK(report::duration_text(std::chrono::seconds(754)) == "12:34");
  CHECK(report::duration_text(std::chrono::seconds(3723)) == "1:02:03");
  CHECK(report::duration_text(std::chrono::seconds(-1)) == "0:00");
  CHECK(report::duration_text(std::chrono::duration<double>(1e300)) == "99999:59:59");
}

TEST_CASE("rates have as many digits as one can read") {
  CHECK(report::rate_text(812.4, "users") == "812 users/s");
  CHECK(report::rate_text(8.12, "users") == "8.1 users/s");
  CHECK(report::rate_text(0.25, "") == "0.25/s");
  CHECK(report::rate_text(1e300, "").size() == 303);
}

TEST_CASE("the log line tells percentage, counts, failures, rate and times") {
  CHECK(report::log_line(busy_snapshot()) ==
        "scoring: 45%, 2700/6000 users, 60 failed, 900 users/s, 0:03 elapsed, 0:03 left");
}

TEST_CASE("the log line tells a metric with four significant digits") {
  auto now = busy_snapshot();
  now.metric_name = "loss";
  for (const auto& [value, text] : {std::pair{0.0123456, "loss 0.01235,"},
                                    {123456.0, "loss 1.235e+05,"},
                                    {0.0, "loss 0,"},
                                    {std::nan(""), "loss nan,"},
                                    {HUGE_VAL, "loss inf,"}}) {
    now.metric = value;
    CHECK_THAT(report::log_line(now), testing::contains(text));
  }
}

TEST_CASE("the last log line says that it is the last") {
  auto now = busy_snapshot();
  now.finished = true;
  CHECK(report::log_line(now) == "scoring ended: 45%, 2700/6000 users, 60 failed, 900 users/s, 0:03 elapsed");
}

TEST_CASE("without a total there are neither percentage nor time left") {
  auto now = busy_snapshot();
  now.total.reset();
  CHECK(report::log_line(now) == "scoring: 2700 users, 60 failed, 900 users/s, 0:03 elapsed");
}

TEST_CASE("a label cannot break the log line") {
  auto now = busy_snapshot();
  now.label = "a\x1b[2J\nb\r";
  now.unit = "x\ty";
  now.metric_name = "\n";
  CHECK(report::log_line(now).find_first_of("\x1b\n\r\t") == std::string::npos);
}

TEST_CASE("a hundred per cent is told only when all is done") {
  auto now = busy_snapshot();
  now.total = 1'000'000;
  now.counts = {0, 0, 999'999, 0};
  CHECK(report::percent_text(now) == "99%");
}

TEST_CASE("before time has passed the rate is zero and the time left unknown") {
  auto now = busy_snapshot();
  now.elapsed = {};
  CHECK(now.rate() == 0.0);
  CHECK_FALSE(now.time_left().has_value());
}

TEST_CASE("what a run before has done counts in no rate") {
  auto now = busy_snapshot();
  now.counts[static_cast<std::size_t>(progress_state::finished)] += 900;
  now.done_before = 900;
  CHECK(report::log_line(now) == "scoring: 60%, 3600/6000 users, 60 failed, 900 users/s, 0:03 elapsed, 0:02 left");
  now.counts = {0, 0, 900, 0};
  CHECK_FALSE(now.time_left().has_value());
}

TEST_CASE("taking more items out of a state than it holds leaves it empty") {
  report::progress_snapshot now;
  now.move(3, progress_state::dispatched, {});
  now.move(5, progress_state::finished, progress_state::dispatched);
  CHECK(now.count(progress_state::dispatched) == 0);
  CHECK(now.count(progress_state::finished) == 5);
}

} // namespace lk::parallel
