// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/progress_text.hpp>

#include <chrono>
#include <string>

#include <support/catch.hpp>

// Progress as text: pure functions of a snapshot.

namespace lk::parallel {
namespace {

report::progress_snapshot example() {
  report::progress_snapshot now;
  now.label = "scoring";
  now.unit = "users";
  now.total = 6000;
  now.elapsed = std::chrono::seconds(3);
  now.move(2640, progress_state::finished, {});
  now.move(60, progress_state::failed, {});
  now.move(300, progress_state::in_progress, {});
  return now;
}

} // namespace

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
}

TEST_CASE("the log line tells percentage, counts, failures, rate and times") {
  CHECK(report::log_line(example()) ==
        "scoring: 45%, 2700/6000 users, 60 failed, 900 users/s, 0:03 elapsed, 0:03 left");
}

TEST_CASE("the last log line says that it is the last") {
  auto now = example();
  now.finished = true;
  CHECK(report::log_line(now) == "scoring ended: 45%, 2700/6000 users, 60 failed, 900 users/s, 0:03 elapsed");
}

TEST_CASE("without a total there are neither percentage nor time left nor bar") {
  auto now = example();
  now.total.reset();
  CHECK(report::log_line(now) == "scoring: 2700 users, 60 failed, 900 users/s, 0:03 elapsed");
  CHECK(report::bar_line(now, 120) == "scoring  2700 users, 60 failed, 900 users/s, 0:03 elapsed");
}

TEST_CASE("the bar shows done, under way and to come") {
  CHECK(report::bar_line(example(), 200) == "scoring [##################--....................]  45%  2700/6000 users, "
                                            "60 failed, 900 users/s, 0:03 elapsed, 0:03 left");
}

TEST_CASE("a line is never wider than the terminal, and the bar gives way first") {
  for (std::size_t width = 0; width < 150; ++width) {
    const std::string line = report::bar_line(example(), width);
    REQUIRE(report::columns(line) <= width);
    if (width < 80) REQUIRE(line.find('#') == std::string::npos);
  }
}

TEST_CASE("labels count as code points and are cut between them") {
  CHECK(report::columns("größe") == 5);
  CHECK(report::cut_to_columns("größe", 3) == "grö");
  CHECK(report::cut_to_columns("größe", 9) == "größe");
}

TEST_CASE("a label cannot move the cursor") {
  auto now = example();
  now.label = "a\x1b[2J\nb\r";
  now.unit = "x\ty";
  for (const std::string& line : {report::bar_line(now, 200), report::log_line(now)})
    CHECK(line.find_first_of("\x1b\n\r\t") == std::string::npos);
}

TEST_CASE("more done than the total is a full bar") {
  auto now = example();
  now.total = 10;
  CHECK_THAT(report::bar_line(now, 200), testing::contains("[########################################]  100%"));
  now.total = 0;
  CHECK_THAT(report::bar_line(now, 200), testing::contains("[########################################]  100%"));
}

TEST_CASE("a hundred per cent is told only when all is done") {
  auto now = example();
  now.total = 1'000'000;
  now.counts = {0, 0, 999'999, 0};
  CHECK(report::percent_text(now) == "99%");
}

TEST_CASE("before time has passed the rate is zero and the time left unknown") {
  auto now = example();
  now.elapsed = {};
  CHECK(now.rate() == 0.0);
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
