// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/log_record.hpp>

#include <cstring>
#include <string>
#include <vector>

#include <support/catch.hpp>

// Log records as bytes and back.

namespace lk::parallel {
namespace {

report::log_record_view example(std::string_view text) {
  report::log_record_view record;
  record.level = 3;
  record.worker = 7;
  record.thread = 4'000'000'000u;
  record.time = std::chrono::system_clock::time_point(std::chrono::nanoseconds(1'700'000'000'123'456'789));
  record.line = 42;
  record.file = "als.cpp";
  record.function = "train";
  record.logger = "als";
  record.text = text;
  return record;
}

std::vector<std::byte> bytes_of(const report::log_record_view& record) {
  wire::writer out;
  report::encode_log_record(record, out);
  return {out.bytes().begin(), out.bytes().end()};
}

} // namespace

TEST_CASE("a log record comes back as it was") {
  const std::string text =
      GENERATE(std::string(), std::string("plain"), std::string("{} {0:d} %s %n {"), std::string("a\0b", 3),
               std::string("\xff\xfe\xc3\x28\n\r\x1b[31m"), std::string(1 << 20, 'x'));
  const auto record = report::decode_log_record(bytes_of(example(text)));
  CHECK(record.level == 3);
  CHECK(record.worker == 7);
  CHECK(record.thread == 4'000'000'000u);
  CHECK(record.time == example("").time);
  CHECK(record.line == 42);
  CHECK(record.file == "als.cpp");
  CHECK(record.function == "train");
  CHECK(record.logger == "als");
  CHECK((record.text == text));
}

TEST_CASE("a log record that is cut anywhere, or goes on, is refused") {
  auto bytes = bytes_of(example("text"));
  for (std::size_t n = 0; n < bytes.size(); ++n)
    REQUIRE_THROWS_AS(report::decode_log_record(std::span(bytes).first(n)), wire_error);
  bytes.push_back(std::byte{0});
  REQUIRE_THROWS_AS(report::decode_log_record(bytes), wire_error);
}

TEST_CASE("a log record of a level that spdlog does not have is refused") {
  for (const int level : {-1, 7, 1'000'000}) {
    auto record = example("text");
    record.level = level;
    REQUIRE_THROWS_AS(report::decode_log_record(bytes_of(record)), wire_error);
  }
}

} // namespace lk::parallel
