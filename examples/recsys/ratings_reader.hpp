// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <recsys/bad_rows.hpp>
#include <recsys/rating.hpp>
#include <recsys/text_rows.hpp>

// Reads the ratings files that GroupLens publishes: ratings.csv with a header, ratings.dat with "::" between the fields
// and u.data with tabs (https://grouplens.org/datasets/movielens/). The first line tells which one it is. Anything that
// is not a rating is a bad row; nothing is guessed.

namespace recsys {

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

/// Turns one line into a rating; or says in expected what should have been there.
inline std::optional<rating> parse_rating(std::string_view line, const ratings_format& format, std::string& expected) {
  std::array<std::string_view, 5> fields;
  if (split(line, format.separator, fields) != format.fields) {
    expected = std::to_string(format.fields) + " fields separated by " +
               (format.separator == "\t" ? "tabs" : quoted(format.separator)) + ": user, item, rating" +
               (format.fields == 4 ? ", timestamp" : "");
    return std::nullopt;
  }
  const auto user = id(fields[0]);
  const auto item = id(fields[1]);
  const auto value = number<float>(fields[2]);
  const auto timestamp = format.fields == 4 ? number<std::int64_t>(fields[3]) : std::optional<std::int64_t>(0);
  if (!user)
    expected = "a user id (a whole number from 0) in field 1";
  else if (!item)
    expected = "an item id (a whole number from 0) in field 2";
  else if (!value || !(*value >= 0.5f && *value <= 5.0f))
    expected = "a rating from 0.5 to 5 in field 3";
  else if (!timestamp)
    expected = "a timestamp (whole seconds since 1970) in field 4";
  else
    return rating{*user, *item, *value, *timestamp};
  return std::nullopt;
}

} // namespace reading

/// All ratings of a file in its order. Line ends may be CRLF, and a byte order mark is passed over.
/// Throws: input_error for a file that cannot be read, that is in no known form, or that has no rating; and at the
/// first bad row unless bad rows are left out.
inline std::vector<rating> read_ratings(const std::string& path, bad_rows& bad) {
  const std::size_t bad_before = bad.count();
  std::vector<rating> ratings;
  std::optional<ratings_format> format;
  const auto is_header = [&](std::string_view line) {
    format = detect_format(line);
    if (!format) throw input_error(reading::complaint(path, 1, line, "a rating", reading::any_format));
    return format->has_header;
  };
  reading::for_rows(path, "a rating", bad, is_header, [&](std::string_view line, std::size_t, std::string& expected) {
    const auto parsed = reading::parse_rating(line, *format, expected);
    if (parsed) ratings.push_back(*parsed);
    return parsed.has_value();
  });
  if (ratings.empty()) reading::refuse_empty(path, "ratings", reading::any_format, bad.count() - bad_before);
  return ratings;
}

/// The same; the first bad row is an error.
inline std::vector<rating> read_ratings(const std::string& path) {
  bad_rows none;
  return read_ratings(path, none);
}

} // namespace recsys
