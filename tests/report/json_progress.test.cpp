// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/json_progress.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <support/catch.hpp>

#include "snapshots.hpp"

// Progress for programs, read back by a JSON parser that is not ours.

namespace lk::parallel {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

/// A file in memory in the place of stderr.
class recorded_lines {
 public:
  recorded_lines() {
    int ends[2];
    base::check("pipe2", base::remedy_for_descriptors, [&] { return ::pipe2(ends, O_NONBLOCK | O_CLOEXEC); });
    out_ = base::unique_fd(ends[0]);
    in_ = base::unique_fd(ends[1]);
  }
  int fd() const { return in_.get(); }
  std::vector<json> objects() const {
    std::string bytes(65536, '\0');
    const auto n = ::read(out_.get(), bytes.data(), bytes.size());
    std::istringstream text(bytes.substr(0, n > 0 ? static_cast<std::size_t>(n) : 0));
    std::vector<json> all;
    for (std::string line; std::getline(text, line);) all.push_back(json::parse(line));
    return all;
  }

 private:
  base::unique_fd out_, in_;
};

} // namespace

TEST_CASE("a JSON line tells all that is known") {
  auto now = testing::busy_snapshot();
  now.metric_name = "loss";
  now.metric = 0.1;
  CHECK(json::parse(report::json_line(now)) == json::parse(R"({
    "label": "scoring", "unit": "users", "total": 6000,
    "dispatched": 600, "in_progress": 300, "finished": 2640, "failed": 60,
    "elapsed_seconds": 3.0, "rate": 900.0, "remaining_seconds": 3.6666666666666665,
    "metric": {"name": "loss", "value": 0.1}, "done": false})"));
}

TEST_CASE("what is unknown is null") {
  report::progress_snapshot now;
  now.finished = true;
  const json read = json::parse(report::json_line(now));
  for (const char* const name : {"total", "remaining_seconds", "metric"}) CHECK(read.at(name).is_null());
  CHECK(read.at("done") == true);
  CHECK(read.at("rate") == 0.0);
}

TEST_CASE("a metric that is no number is null in JSON") {
  report::progress_snapshot now;
  now.metric_name = "loss";
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    now.metric = value;
    CHECK(json::parse(report::json_line(now)).at("metric") == json{{"name", "loss"}, {"value", nullptr}});
  }
}

TEST_CASE("any label survives JSON, and what is no UTF-8 becomes U+FFFD") {
  for (const std::string label : {"\"quoted\" \\ / \b\f\n\r\t\x01\x1f\x7f", "größe 用户 🎬", "{\"a\":1}"}) {
    report::progress_snapshot now;
    now.label = label;
    CHECK(json::parse(report::json_line(now)).at("label") == label);
  }
  CHECK(json::parse(report::json_string(std::string("a\0b", 3))) == std::string("a\0b", 3));
  CHECK(json::parse(report::json_string("a\xFF\xC3|\xED\xA0\x80")) == "a\uFFFD\uFFFD|\uFFFD\uFFFD\uFFFD");
}

TEST_CASE("JSON comes at once, then at most once a second, and at the end") {
  recorded_lines lines;
  {
    report::json_progress progress(lines.fd(), "scoring", 1000, "users");
    for (int ms = 0; ms < 3000; ms += 10) progress.show(testing::snapshot_at(milliseconds(ms), 1));
    progress.show(testing::last_snapshot(milliseconds(3000), 1000));
    const auto objects = lines.objects();
    REQUIRE(objects.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) CHECK(objects[i].at("elapsed_seconds") == static_cast<double>(i));
    CHECK(objects[2].at("done") == false);
    CHECK(objects[3].at("done") == true);
  }
}

TEST_CASE("a JSON display that is dropped writes its last line") {
  recorded_lines lines;
  report::json_progress(lines.fd(), "scoring", {}, "").update(3);
  const auto objects = lines.objects();
  REQUIRE(objects.size() == 2);
  CHECK(objects[1].at("finished") == 3);
  CHECK(objects[1].at("done") == true);
}

} // namespace lk::parallel
