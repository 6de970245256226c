// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/log_progress.hpp>

#include <chrono>
#include <string>

#include <support/catch.hpp>

#include "host_loggers.hpp"
#include "snapshots.hpp"

// Progress as lines of a logger.

namespace lk::parallel {

using std::chrono::milliseconds;

TEST_CASE("the log display writes a line every five seconds and one at the end") {
  testing::host_loggers host;
  {
    report::log_progress log("als", "scoring", 1000, "users");
    for (int ms = 0; ms <= 12'000; ms += 10)
      log.show(testing::snapshot_at(milliseconds(ms), static_cast<std::size_t>(ms) / 20));
    CHECK(host.sink->records().size() == 2);
  }
  const auto records = host.sink->records();
  REQUIRE(records.size() == 3);
  for (const auto& record : records) {
    CHECK(record.logger == "als");
    CHECK(record.level == spdlog::level::info);
    CHECK(record.text.find_first_of("\r\n\x1b") == std::string::npos);
  }
  CHECK_THAT(records[0].text, testing::contains("250/1000 users"));
  CHECK_THAT(records[1].text, testing::contains("0:10 elapsed"));
  CHECK_THAT(records[2].text, testing::contains("scoring ended: 0%, 0/1000 users"));
}

TEST_CASE("a label with format characters is data") {
  testing::host_loggers host;
  report::log_progress("", "{} %s {0:d}", 3, "{}").update();
  CHECK_THAT(host.sink->texts().at(0), testing::contains("{} %s {0:d} ended: 33%, 1/3 {}"));
}

} // namespace lk::parallel
