// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <recsys/rating.hpp>

// Reads the ratings files that GroupLens publishes: ratings.csv with a header, ratings.dat with "::" between the fields
// and u.data with tabs (https://grouplens.org/datasets/movielens/). The first line tells which one it is. Anything that
// is not a rating is an error that names the line; nothing is skipped or guessed.

namespace recsys {

/// A ratings file cannot be read; what() has file, line, content and expectation.
class ratings_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

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

/// What the first line says about a file.
struct ratings_format {
  std::string_view separator;
  std::size_t fields = 4;
  bool has_header = false;
};

inline std::optional<ratings_format> detect_format(std::string_view first_line) {
  if (first_line == "userId,movieId,rating,timestamp") return ratings_format{",", 4, true};
  if (first_line == "userId,movieId,rating") return ratings_format{",", 3, true};
  if (first_line.find("::") != first_line.npos) return ratings_format{"::"};
  if (first_line.find('\t') != first_line.npos) return ratings_format{"\t"};
  return std::nullopt;
}

namespace reading {

inline constexpr const char* any_format =
    "the header userId,movieId,rating,timestamp (ratings.csv), or four fields separated by :: (ratings.dat) or by tabs "
    "(u.data)";

/// The whole text as one number; nothing where it is anything else.
template <class Number> std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
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

/// Turns one line into a rating; or says in expected what should have been there.
inline std::optional<rating> parse_line(std::string_view line, const ratings_format& format, std::string& expected) {
  std::array<std::string_view, 5> fields;
  if (split(line, format.separator, fields) != format.fields) {
    expected = std::to_string(format.fields) + " fields separated by " +
               (format.separator == "\t" ? "tabs" : quoted(format.separator)) + ": user, item, rating" +
               (format.fields == 4 ? ", timestamp" : "");
    return std::nullopt;
  }
  const auto user = number<std::int64_t>(fields[0]);
  const auto item = number<std::int64_t>(fields[1]);
  const auto value = number<float>(fields[2]);
  const auto timestamp = format.fields == 4 ? number<std::int64_t>(fields[3]) : std::optional<std::int64_t>(0);
  if (!user || *user < 0)
    expected = "a user id (a whole number from 0) in field 1";
  else if (!item || *item < 0)
    expected = "an item id (a whole number from 0) in field 2";
  else if (!value || !(*value >= 0.5f && *value <= 5.0f))
    expected = "a rating from 0.5 to 5 in field 3";
  else if (!timestamp)
    expected = "a timestamp (whole seconds since 1970) in field 4";
  else
    return rating{*user, *item, *value, *timestamp};
  return std::nullopt;
}

[[noreturn]] inline void refuse(const std::string& path, std::size_t line_number, std::string_view line,
                                const std::string& expected) {
  throw ratings_error(path + ":" + std::to_string(line_number) + ": " + quoted(line) + " is not a rating: expected " +
                      expected);
}

[[noreturn]] inline void refuse_file(const std::string& path) {
  throw ratings_error(path + ": cannot be read: " + (errno != 0 ? std::strerror(errno) : "input error"));
}

/// Gets the next line without its line end (LF or CRLF); false at the end of the file.
inline bool next_line(std::ifstream& file, std::string& line) {
  if (!std::getline(file, line)) return false;
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return true;
}

} // namespace reading

/// All ratings of a file in its order. Line ends may be CRLF, and a byte order mark is passed over.
/// Throws: ratings_error for a file that cannot be read, that has no rating, or at its first line that is not a rating.
inline std::vector<rating> read_ratings(const std::string& path) {
  std::vector<char> buffer(1 << 20);
  std::ifstream file;
  file.rdbuf()->pubsetbuf(buffer.data(), static_cast<std::streamsize>(buffer.size()));
  errno = 0;
  file.open(path, std::ios::binary);
  if (!file) reading::refuse_file(path);

  std::vector<rating> ratings;
  std::optional<ratings_format> format;
  std::string line, expected;
  std::size_t blank_line = 0;
  for (std::size_t line_number = 1; reading::next_line(file, line); ++line_number) {
    if (line_number == 1) {
      if (line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
      format = detect_format(line);
      if (!format) reading::refuse(path, line_number, line, reading::any_format);
      if (format->has_header) continue;
    }
    if (line.empty()) {
      if (blank_line == 0) blank_line = line_number;
      continue;
    }
    if (blank_line != 0) reading::refuse(path, blank_line, "", "a rating (only the end of the file may be blank)");
    if (const auto parsed = reading::parse_line(line, *format, expected))
      ratings.push_back(*parsed);
    else
      reading::refuse(path, line_number, line, expected);
  }
  if (file.bad()) reading::refuse_file(path);
  if (ratings.empty()) throw ratings_error(path + ": there are no ratings in it; expected " + reading::any_format);
  return ratings;
}

} // namespace recsys
