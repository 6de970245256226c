// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <recsys/bad_rows.hpp>
#include <recsys/text_rows.hpp>

// Reads pairs of a user and an item: CSV with the header user,item or userId,movieId. Whether anybody knows these ids
// is not asked here.

namespace recsys {

struct user_item {
  std::int64_t user = 0, item = 0; ///< ids
  friend bool operator==(const user_item&, const user_item&) = default;
};

/// All pairs of a file in its order, repeated ones included. Throws: input_error as read_ratings.
inline std::vector<user_item> read_pairs(const std::string& path, bad_rows& bad) {
  constexpr const char* header = "the header user,item";
  const std::size_t bad_before = bad.count();
  std::vector<user_item> pairs;
  const auto is_header = [&](std::string_view line) {
    if (line != "user,item" && line != "userId,movieId")
      throw input_error(reading::complaint(path, 1, line, "the beginning of a file of pairs", header));
    return true;
  };
  reading::for_rows(path, "a pair", bad, is_header, [&](std::string_view line, std::size_t, std::string& expected) {
    std::array<std::string_view, 5> fields;
    if (reading::split(line, ",", fields) != 2) {
      expected = "2 fields separated by \",\": user, item";
      return false;
    }
    const auto user = reading::id(fields[0]), item = reading::id(fields[1]);
    if (user && item) pairs.push_back({*user, *item});
    expected = !user ? "a user id (a whole number from 0) in field 1" : "an item id (a whole number from 0) in field 2";
    return user && item;
  });
  if (pairs.empty())
    reading::refuse_empty(path, "pairs", std::string(header) + " and a pair in each line", bad.count() - bad_before);
  return pairs;
}

} // namespace recsys
