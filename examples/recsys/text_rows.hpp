// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <ios>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <recsys/bad_rows.hpp>

// Text files of rows, as the readers of ratings, pairs and ids see them: line by line, with whatever line end and byte
// order mark, and with the words for what is wrong where.

namespace recsys {

/// The text between quotes as a terminal can show it: control bytes as \xNN, cut after 200 bytes.
inline std::string quoted(std::string_view text) {
  std::string shown = "\"";
  for (const char c : text.substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f && c != '"' && c != '\\') {
      shown += c;
    } else {
      char escape[5];
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(byte));
      shown += escape;
    }
  }
  return shown + (text.size() > 200 ? "...\"" : "\"");
}

namespace reading {

/// The whole text as one number; nothing where it is anything else.
template <class Number> std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A user's or item's id; nothing for any other text, and for numbers below 0 or above 2^63 - 1.
inline std::optional<std::int64_t> id(std::string_view text) {
  const auto value = number<std::int64_t>(text);
  return value && *value >= 0 ? value : std::nullopt;
}

/// The fields of a line; one more than asked for where the line has too many, fewer where it has too few.
inline std::size_t split(std::string_view line, std::string_view separator, std::array<std::string_view, 5>& fields) {
  std::size_t n = 0;
  while (n < fields.size()) {
    const std::size_t end = line.find(separator);
    fields[n++] = line.substr(0, end);
    if (end == line.npos) break;
    line.remove_prefix(end + separator.size());
  }
  return n;
}

/// The lines of a file. Of a line that is longer than any row there is only the beginning.
class text_lines {
 public:
  /// Throws: input_error where the file cannot be read.
  explicit text_lines(const std::string& path) : path_(path), blocks_(1 << 20), text_(1 << 16) {
    file_.rdbuf()->pubsetbuf(blocks_.data(), static_cast<std::streamsize>(blocks_.size()));
    errno = 0;
    file_.open(path, std::ios::binary);
    if (!file_) refuse_file();
  }

  /// Gets the next line without its line end (LF or CRLF) and byte order mark; false at the end of the file.
  /// Throws: input_error.
  bool next() {
    errno = 0;
    file_.getline(text_.data(), static_cast<std::streamsize>(text_.size()));
    if (file_.bad()) refuse_file();
    std::size_t length = static_cast<std::size_t>(file_.gcount());
    if (file_.eof() && length == 0) return false;
    is_cut_ = file_.fail() && !file_.eof();
    if (is_cut_) {
      file_.clear();
      file_.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    } else if (!file_.eof()) {
      --length; // the line end counts
    }
    line_ = {text_.data(), length};
    if (line_.ends_with('\r')) line_.remove_suffix(1);
    if (++number_ == 1 && line_.starts_with("\xef\xbb\xbf")) line_.remove_prefix(3);
    return true;
  }

  std::string_view line() const { return line_; } ///< Lifetime: until the next one.
  bool is_cut() const { return is_cut_; }         ///< whether the line goes on
  std::size_t number() const { return number_; }

 private:
  [[noreturn]] void refuse_file() const {
    throw input_error(path_ + ": cannot be read: " + (errno != 0 ? std::strerror(errno) : "input error"));
  }

  std::string path_;
  std::vector<char> blocks_, text_;
  std::ifstream file_;
  std::string_view line_;
  std::size_t number_ = 0;
  bool is_cut_ = false;
};

/// row_name: "a rating", say.
inline std::string complaint(const std::string& path, std::size_t line_number, std::string_view line,
                             const std::string& row_name, const std::string& expected) {
  return path + ":" + std::to_string(line_number) + ": " + quoted(line) + " is not " + row_name + ": expected " +
         expected;
}

/// Calls is_header(first line), and take(line, line number, expected) for each row. take hands back false where the
/// line is no row, with what was expected instead; such lines are bad rows, as are blank lines before the last row.
/// Throws: input_error; as is_header and take.
template <class IsHeader, class Take>
void for_rows(const std::string& path, const std::string& row_name, bad_rows& bad, IsHeader is_header, Take take) {
  text_lines lines(path);
  std::string expected;
  std::size_t n_blank = 0;
  while (lines.next()) {
    if (lines.number() == 1 && is_header(lines.line())) continue;
    if (lines.line().empty()) {
      ++n_blank;
      continue;
    }
    for (; n_blank > 0; --n_blank)
      bad.meet(complaint(path, lines.number() - n_blank, "", row_name,
                         row_name + " (only the end of the file may be blank)"));
    if (lines.is_cut())
      bad.meet(complaint(path, lines.number(), lines.line(), row_name, "a line of less than 65536 bytes"));
    else if (!take(lines.line(), lines.number(), expected))
      bad.meet(complaint(path, lines.number(), lines.line(), row_name, expected));
  }
}

/// For a file in which no row is left. n_bad: rows of it that were left out.
[[noreturn]] inline void refuse_empty(const std::string& path, const std::string& rows, const std::string& expected,
                                      std::size_t n_bad) {
  throw input_error(path + ": there are no " + rows + " in it" +
                    (n_bad > 0 ? " that can be used" : "; expected " + expected));
}

} // namespace reading
} // namespace recsys
