// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/text_columns.hpp>

#include <string>
#include <string_view>

#include <support/catch.hpp>

// Text on a terminal: what is printable, and its columns.

namespace lk::parallel {

using report::charset;
using report::columns;
using report::printable;

TEST_CASE("letters take one column, East Asian wide characters and emoji two, combining marks none") {
  CHECK(columns(std::string_view("size")) == 4);
  CHECK(columns(std::string_view("größe")) == 5);
  CHECK(columns(std::string_view("用户")) == 4);
  CHECK(columns(std::string_view("データ")) == 6);
  CHECK(columns(std::string_view("사용자")) == 6);
  CHECK(columns(std::string_view("🎬")) == 2);
  CHECK(columns(std::string_view("e\u0301")) == 1);
  CHECK(columns(std::string_view("█▓░·")) == 4);
}

TEST_CASE("a text is cut between characters, and never within a wide one") {
  CHECK(report::cut_to_columns("größe", 3) == "grö");
  CHECK(report::cut_to_columns("größe", 9) == "größe");
  CHECK(report::cut_to_columns("用户", 3) == "用");
  CHECK(report::cut_to_columns("e\u0301x", 1) == "e\u0301");
}

TEST_CASE("what would move the cursor or turn the line is replaced, also as a C1 control") {
  CHECK(printable("a\x1b[2J\nb\r\t\x7f") == "a?[2J?b???");
  CHECK(printable("a\u009b2Jb") == "a?2Jb"); // CSI in one character
  CHECK(printable("a\u202Eb\u2066c\u2028d") == "a?b?c?d");
}

TEST_CASE("broken UTF-8 is replaced byte by byte") {
  CHECK(printable("a\xFF"
                  "b") == "a?b");
  CHECK(printable("\xC3") == "?");
  CHECK(printable("\xC0\xAF") == "??");
  CHECK(printable("\xED\xA0\x80") == "???");
  CHECK(printable("\xF4\x90\x80\x80") == "????");
  CHECK(printable("\xF0\x9F\x8E") == "???");
}

TEST_CASE("where the terminal's characters are not UTF-8, each other character is a question mark") {
  CHECK(printable("größe 用户", charset::ascii) == "gr??e ??");
  CHECK(printable("e\u0301", charset::ascii) == "e");
  CHECK(printable("plain", charset::ascii) == "plain");
}

} // namespace lk::parallel
