// lk-parallel | SPDX-License-Identifier: MIT

#include <string>
#include <vector>

#include <support/catch.hpp>

#include <recsys/ratings_reader.hpp>
#include <recsys/ratings_writer.hpp>

#include "scratch_folder.hpp"

using namespace recsys;
using recsys::testing::scratch_folder;

namespace {

const std::vector<rating> two_ratings{{1, 31, 2.5f, 1260759144}, {196, 242, 3.0f, 881250949}};
const std::string header = "userId,movieId,rating,timestamp\n";

std::vector<rating> read_text(const std::string& text) {
  const scratch_folder folder;
  return read_ratings(folder.file("ratings", text));
}

/// What the reader says about a text, without the name of the folder.
std::string complaint_about(const std::string& text) {
  const scratch_folder folder;
  const std::string path = folder.file("ratings", text);
  try {
    read_ratings(path);
  } catch (const ratings_error& e) {
    const std::string what = e.what();
    return what.starts_with(path) ? what.substr(path.size()) : "another file is blamed: " + what;
  }
  return "nothing";
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
