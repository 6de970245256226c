// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/bar_line.hpp>

#include <cstddef>
#include <limits>
#include <string>

#include <support/catch.hpp>

#include "snapshots.hpp"

// The bar as text: a pure function of snapshot, width and style.

namespace lk::parallel {
namespace {

constexpr report::bar_style plain{};
constexpr report::bar_style blocks{.characters = report::charset::utf8};
constexpr report::bar_style coloured{.characters = report::charset::utf8, .has_colour = true};

std::string line_of(const report::progress_snapshot& now, std::size_t width, const report::bar_style& style = plain) {
  return report::bar_line(now, width, style);
}

} // namespace

TEST_CASE("the bar shows what is done, in progress, dispatched and to come") {
  CHECK(line_of(testing::busy_snapshot(), 120) ==
        "scoring  ##########==--..........   45%  2700/6000 users  60 failed  900 users/s  0:03 elapsed  0:03 left");
  CHECK(line_of(testing::busy_snapshot(), 120, blocks) ==
        "scoring  ██████████▓▓░░··········   45%  2700/6000 users  60 failed  900 users/s  0:03 elapsed  0:03 left");
}

TEST_CASE("a metric stands behind the rate") {
  auto now = testing::busy_snapshot();
  now.metric_name = "loss";
  now.metric = 0.0123456;
  CHECK_THAT(line_of(now, 120), testing::contains("  900 users/s  loss 0.01235  "));
}

TEST_CASE("colours change nothing but the colours") {
  std::string line = line_of(testing::busy_snapshot(), 120, coloured);
  CHECK_THAT(line, testing::contains("\x1b[32m██████████\x1b[m\x1b[33m▓▓\x1b[m\x1b[34m░░\x1b[m"));
  CHECK_THAT(line, testing::contains("\x1b[31m60 failed\x1b[m"));
  for (std::size_t at; (at = line.find('\x1b')) != std::string::npos;) line.erase(at, line.find('m', at) - at + 1);
  CHECK(line == line_of(testing::busy_snapshot(), 120, blocks));
}

TEST_CASE("the cells of a bar always add up, whatever the counts") {
  const std::size_t many = std::numeric_limits<std::size_t>::max() / 8;
  for (const std::size_t total : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{1000}, many})
    for (const std::size_t finished : {std::size_t{0}, std::size_t{3}, std::size_t{999}, many})
      for (const std::size_t running : {std::size_t{0}, std::size_t{4}, many}) {
        report::progress_snapshot now;
        now.total = total;
        now.counts = {running, running, finished, 1};
        const report::bar_cells cells = report::share_cells(now, 40);
        REQUIRE(cells[0] + cells[1] + cells[2] + cells[3] == 40);
      }
}

TEST_CASE("a full bar means that all is done") {
  auto now = testing::snapshot_at(std::chrono::seconds(1), 999);
  CHECK_THAT(line_of(now, 120), testing::contains("#."));
  now.move(1, progress_state::failed, {});
  CHECK_THAT(line_of(now, 120), testing::contains("########################  100%"));
  now.total = 10;
  CHECK_THAT(line_of(now, 120), testing::contains("########################  100%"));
  now.total = 0;
  CHECK_THAT(line_of(now, 120), testing::contains("########################  100%"));
}

TEST_CASE("without a total there are neither bar nor percentage nor time left") {
  auto now = testing::busy_snapshot();
  now.total.reset();
  CHECK(line_of(now, 120) == "scoring  2700 users  60 failed  900 users/s  0:03 elapsed");
}

TEST_CASE("nothing moves as the counts grow") {
  const std::string early = line_of(testing::snapshot_at(std::chrono::seconds(2), 8), 120);
  const std::string late = line_of(testing::snapshot_at(std::chrono::seconds(2), 1000), 120);
  CHECK_THAT(early, testing::contains("    0%     8/1000 users"));
  CHECK(early.find("/1000") == late.find("/1000"));
}

TEST_CASE("where there is no room, the less important parts go whole") {
  const auto now = testing::busy_snapshot();
  CHECK(line_of(now, 79) == "scoring  ######=--......   45%  2700/6000 users  60 failed  0:03 left");
  CHECK(line_of(now, 50) == "scoring  ####=-....   45%  2700/6000 users");
  CHECK(line_of(now, 20) == "scoring   45%");
  CHECK(line_of(now, 10) == "scoring   ");
}

TEST_CASE("a line is never wider than asked for, in any characters") {
  auto now = testing::busy_snapshot();
  now.metric_name = "größe";
  for (const std::string label :
       {"", "scoring", "a label that is longer than a third of most terminals", "用户评分用户评分"})
    for (std::size_t width = 0; width < 150; ++width) {
      now.label = label;
      REQUIRE(report::columns(std::string_view(line_of(now, width, blocks))) <= width);
      REQUIRE(line_of(now, width, plain).find_first_of("\xC3\xE2\xE7") == std::string::npos);
    }
}

TEST_CASE("a label cannot move the cursor") {
  auto now = testing::busy_snapshot();
  now.label = "a\x1b[2J\nb\r";
  now.unit = "x\ty";
  now.metric_name = "\x9b";
  CHECK(line_of(now, 200, blocks).find_first_of("\x1b\n\r\t\x9b") == std::string::npos);
}

} // namespace lk::parallel
