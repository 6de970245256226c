// lk-parallel | SPDX-License-Identifier: MIT

#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <support/catch.hpp>

#include <recsys/ids_reader.hpp>
#include <recsys/pairs_reader.hpp>
#include <recsys/ratings_reader.hpp>
#include <recsys/ratings_writer.hpp>

#include "scratch_folder.hpp"

using namespace recsys;
using recsys::testing::scratch_folder;

namespace {

const std::vector<rating> two_ratings{{1, 31, 2.5f, 1260759144}, {196, 242, 3.0f, 881250949}};
const std::string header = "userId,movieId,rating,timestamp\n";

/// Counts the lines of log that match while it lives, and keeps them from the terminal.
class log_lines {
 public:
  log_lines() : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
    sink->set_pattern("%l %v");
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("reader", std::move(sink)));
  }
  ~log_lines() { spdlog::set_default_logger(before_); }
  std::string text() const { return text_.str(); }

 private:
  std::shared_ptr<spdlog::logger> before_;
  std::ostringstream text_;
};

/// What fn throws as an input_error, without the path at its beginning.
template <class Fn> std::string refusal(const std::string& path, Fn fn) {
  try {
    fn();
  } catch (const input_error& e) {
    const std::string what = e.what();
    return what.starts_with(path) ? what.substr(path.size()) : "another file is blamed: " + what;
  }
  return "nothing";
}

std::vector<rating> read_text(const std::string& text) {
  const scratch_folder folder;
  return read_ratings(folder.file("ratings", text));
}

/// What the reader says about a text, without the name of the folder.
std::string complaint_about(const std::string& text) {
  const scratch_folder folder;
  const std::string path = folder.file("ratings", text);
  return refusal(path, [&] { read_ratings(path); });
}

} // namespace

TEST_CASE("the three forms of MovieLens files are told apart by their content", "[reader]") {
  CHECK(read_text(header + "1,31,2.5,1260759144\n196,242,3.0,881250949\n") == two_ratings);
  CHECK(read_text("1::31::2.5::1260759144\n196::242::3::881250949\n") == two_ratings);
  CHECK(read_text("1\t31\t2.5\t1260759144\n196\t242\t3\t881250949\n") == two_ratings);
}

TEST_CASE("a header without timestamps means three fields", "[reader]") {
  CHECK(read_text("userId,movieId,rating\n1,31,2.5\n") == std::vector<rating>{{1, 31, 2.5f, 0}});
}

TEST_CASE("CRLF line ends, a byte order mark, a missing last line end and blank last lines are fine", "[reader]") {
  CHECK(read_text("userId,movieId,rating,timestamp\r\n1,31,2.5,1260759144\r\n196,242,3.0,881250949\r\n") ==
        two_ratings);
  CHECK(read_text("\xef\xbb\xbf" + header + "1,31,2.5,1260759144\n196,242,3.0,881250949") == two_ratings);
  CHECK(read_text("\xef\xbb\xbf"
                  "1::31::2.5::1260759144\r\n196::242::3::881250949\r\n\r\n\n") == two_ratings);
}

TEST_CASE("a line that is no rating is an error with file, line, content and expectation", "[reader]") {
  const std::string good = "1,31,2.5,1260759144\n";
  const std::string fields = " is not a rating: expected 4 fields separated by \",\": user, item, rating, timestamp";
  CHECK(complaint_about(header + good + "1,31,2.5\n") == ":3: \"1,31,2.5\"" + fields);
  CHECK(complaint_about(header + good + "1,31,2.5,1,\n") == ":3: \"1,31,2.5,1,\"" + fields);
  CHECK(complaint_about(header + "x,31,2.5,1\n") ==
        ":2: \"x,31,2.5,1\" is not a rating: expected a user id (a whole number from 0) in field 1");
  CHECK(complaint_about("1::-31::2.5::1\n") ==
        ":1: \"1::-31::2.5::1\" is not a rating: expected an item id (a whole number from 0) in field 2");
  for (const char* bad : {"5.5", "0", "nan", "inf", "-1", "", "2.5x", " 3"})
    CHECK(complaint_about(std::string("1\t31\t") + bad + "\t1\n") ==
          std::string(":1: \"1\\x0931\\x09") + bad +
              "\\x091\" is not a rating: expected a rating from 0.5 to 5 in field 3");
  CHECK(complaint_about(header + good + good + "1,31,2.5,soon") ==
        ":4: \"1,31,2.5,soon\" is not a rating: expected a timestamp (whole seconds since 1970) in field 4");
  CHECK(complaint_about(header + "99999999999999999999,31,2.5,1\n").find("user id") != std::string::npos);
}

TEST_CASE("a blank line between ratings is an error where it stands", "[reader]") {
  CHECK(complaint_about(header + "\n\n1,31,2.5,1\n") ==
        ":2: \"\" is not a rating: expected a rating (only the end of the file may be blank)");
}

TEST_CASE("a first line of no known form is an error that names all forms", "[reader]") {
  for (const char* text : {"1,31,2.5,1260759144\n", "user,item\n1,2\n", "\n1::2::3::4\n"}) {
    const std::string what = complaint_about(text);
    CHECK(what.starts_with(":1: "));
    CHECK(what.find("expected the header userId,movieId,rating,timestamp (ratings.csv)") != std::string::npos);
  }
}

TEST_CASE("a file without ratings, a missing file and a folder are errors", "[reader]") {
  CHECK(complaint_about("").starts_with(": there are no ratings in it; expected the header"));
  CHECK(complaint_about(header).starts_with(": there are no ratings in it"));
  const scratch_folder folder;
  CHECK_THROWS_WITH(read_ratings(folder.file("none")),
                    folder.file("none") + ": cannot be read: No such file or directory");
  CHECK_THROWS_WITH(read_ratings(folder.file("")), folder.file("") + ": cannot be read: Is a directory");
}

TEST_CASE("control bytes of a bad line do not reach the terminal, and long lines are cut", "[reader]") {
  CHECK(complaint_about(header + "1,\x1b[2J\n").starts_with(":2: \"1,\\x1b[2J\" is"));
  const std::string what = complaint_about(header + std::string(100'000, 'a') + "\n");
  CHECK(what.size() < 400);
  CHECK(what.find("aaa...\" is not") != std::string::npos);
}

TEST_CASE("written ratings read back as they were", "[reader]") {
  const scratch_folder folder;
  const std::string path = folder.file("saved.csv");
  write_ratings(path, two_ratings);
  CHECK(testing::content_of(path) == header + "1,31,2.5,1260759144\n196,242,3.0,881250949\n");
  CHECK(read_ratings(path) == two_ratings);
}

TEST_CASE("bad rows are left out and counted where that is asked for, and the log names the first of them",
          "[reader]") {
  const scratch_folder folder;
  const std::string path =
      folder.file("ratings.csv", header + "1,31,2.5,1260759144\n1,32,nan,1\n\n\n1;33;4.0;1\n" +
                                     "18446744073709551616,1,1,1\n1,1,1\n\xff,1,1,1\n" + "196,242,3.0,881250949\n\n");
  log_lines log;
  bad_rows bad(on_bad_row::skip);
  CHECK(read_ratings(path, bad) == two_ratings);
  CHECK(bad.count() == 7);
  const std::string text = log.text();
  for (const int line : {3, 4, 5, 6, 7})
    CHECK_THAT(text, lk::parallel::testing::contains("warning " + path + ":" + std::to_string(line) + ": "));
  CHECK_THAT(text,
             lk::parallel::testing::contains(":3: \"1,32,nan,1\" is not a rating: expected a rating from 0.5 to 5 "
                                             "in field 3; left out\n"));
  CHECK_THAT(text, !lk::parallel::testing::contains(path + ":8"));
  CHECK_THAT(text, lk::parallel::testing::contains("there are more rows that are left out"));
}

TEST_CASE("a line of any length is one bad row, and the next line is read", "[reader]") {
  const scratch_folder folder;
  const log_lines quiet;
  for (const std::size_t length : {65'533u, 65'534u, 65'535u, 65'536u, 200'000u}) {
    bad_rows bad(on_bad_row::skip);
    const std::string text = header + "1,31,2.5,1260759144\n" + std::string(length, '1') + "\n196,242,3.0,881250949\n";
    CHECK(read_ratings(folder.file("ratings.csv", text), bad) == two_ratings);
    CHECK(bad.count() == 1);
  }
}

TEST_CASE("a line whose beginning is a rating, but which goes on for ever, is a bad row", "[reader]") {
  const std::string what = complaint_about("userId,movieId,rating\n1,31,2." + std::string(70'000, '5') + "x\n");
  CHECK(what.starts_with(":2: \"1,31,2.555"));
  CHECK(what.ends_with("...\" is not a rating: expected a line of less than 65536 bytes"));
}

TEST_CASE("a file of which no row is left, and one of no known form, are errors under any policy", "[reader]") {
  const scratch_folder folder;
  const log_lines quiet;
  bad_rows bad(on_bad_row::skip);
  const std::string path = folder.file("ratings.csv", header + "1,1,inf,1\n");
  CHECK(refusal(path, [&] { read_ratings(path, bad); }) == ": there are no ratings in it that can be used");
  const std::string other = folder.file("other.csv", "userId;movieId;rating\n1;1;1\n");
  CHECK(refusal(other, [&] {
          read_ratings(other, bad);
        }).starts_with(":1: \"userId;movieId;rating\" is not a rating: expected the header"));
}

TEST_CASE("the largest ids are read, and larger ones are none", "[reader]") {
  CHECK(read_text(header + "9223372036854775807,9223372036854775807,5,0\n") ==
        std::vector<rating>{{INT64_MAX, INT64_MAX, 5, 0}});
  CHECK(complaint_about(header + "1,9223372036854775808,5,0\n").find("an item id") != std::string::npos);
}

TEST_CASE("pairs are read in their order with their repetitions", "[reader]") {
  const scratch_folder folder;
  bad_rows bad;
  const std::vector<user_item> expected{{7, 1}, {3, 2}, {7, 1}};
  CHECK(read_pairs(folder.file("a", "user,item\n7,1\n3,2\n7,1\n"), bad) == expected);
  CHECK(read_pairs(folder.file("b", "\xef\xbb\xbfuserId,movieId\r\n7,1\r\n3,2\r\n7,1"), bad) == expected);
}

TEST_CASE("what is no pair is an error with file, line, content and expectation", "[reader]") {
  const scratch_folder folder;
  const auto complaint = [&](const std::string& text) {
    const std::string path = folder.file("pairs", text);
    bad_rows bad;
    return refusal(path, [&] { read_pairs(path, bad); });
  };
  const std::string not_a_pair = " is not a pair: expected ";
  CHECK(complaint("user,item\n1\n") == ":2: \"1\"" + not_a_pair + "2 fields separated by \",\": user, item");
  CHECK(complaint("user,item\n1,2\n1;2\n") == ":3: \"1;2\"" + not_a_pair + "2 fields separated by \",\": user, item");
  CHECK(complaint("user,item\n-1,2\n") == ":2: \"-1,2\"" + not_a_pair + "a user id (a whole number from 0) in field 1");
  CHECK(complaint("user,item\n1,b\n") == ":2: \"1,b\"" + not_a_pair + "an item id (a whole number from 0) in field 2");
  CHECK(
      complaint("1,2\n").starts_with(":1: \"1,2\" is not the beginning of a file of pairs: expected the header user,"));
  CHECK(complaint("") == ": there are no pairs in it; expected the header user,item and a pair in each line");
  CHECK(complaint("user,item\n\n") ==
        ": there are no pairs in it; expected the header user,item and a pair in each line");
}

TEST_CASE("a list of ids becomes numbers, each once, with or without a header", "[reader]") {
  const scratch_folder folder;
  const std::vector<std::int64_t> known{10, 20, 30};
  bad_rows bad;
  CHECK(read_ids(folder.file("a", "30\n10\n30\n"), known, "user", bad) == std::vector<std::uint32_t>{2, 0});
  CHECK(read_ids(folder.file("b", "movieId\r\n20\r\n"), known, "item", bad) == std::vector<std::uint32_t>{1});
}

TEST_CASE("unknown ids in a list are bad rows", "[reader]") {
  const scratch_folder folder;
  const std::vector<std::int64_t> known{10, 20, 30};
  const std::string path = folder.file("users", "10\n11\nten\n20\n");
  bad_rows fail;
  CHECK(refusal(path, [&] { read_ids(path, known, "user", fail); }) == ":2: user 11 has no ratings");
  const log_lines log;
  bad_rows skip(on_bad_row::skip);
  CHECK(read_ids(path, known, "user", skip) == std::vector<std::uint32_t>{0, 1});
  CHECK(skip.count() == 2);
  CHECK_THAT(log.text(),
             lk::parallel::testing::contains(path + ":3: \"ten\" is not a user id: expected a whole number"));
  const std::string none = folder.file("none", "item\n5\n");
  CHECK(refusal(none, [&] { read_ids(none, known, "item", skip); }) == ": there are no items in it that can be used");
}
