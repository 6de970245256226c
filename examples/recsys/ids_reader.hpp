// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <recsys/bad_rows.hpp>
#include <recsys/interactions.hpp>
#include <recsys/text_rows.hpp>

// Reads a list of users or items: an id in each line, with or without a header.

namespace recsys {

/// The numbers of the listed ids in the order of the file, each once. known: ids in ascending order; an id that is not
/// among them is a bad row. what: "user" or "item". Throws: input_error as read_ratings.
inline std::vector<std::uint32_t> read_ids(const std::string& path, std::span<const std::int64_t> known,
                                           const std::string& what, bad_rows& bad) {
  const std::string row_name = (what == "item" ? "an " : "a ") + what + " id";
  const auto is_header = [&](std::string_view line) {
    return line == what || line == what + "_id" || line == what + "Id" || (what == "item" && line == "movieId");
  };
  const std::size_t bad_before = bad.count();
  std::vector<std::uint32_t> numbers;
  std::vector<bool> listed(known.size());
  const auto take = [&](std::string_view line, std::size_t line_number, std::string& expected) {
    const auto id = reading::id(line);
    expected = "a whole number from 0";
    if (!id) return false;
    const auto number = number_of(known, *id);
    if (!number)
      bad.meet(path + ":" + std::to_string(line_number) + ": " + what + " " + std::to_string(*id) + " has no ratings");
    else if (!listed[*number])
      numbers.push_back(*number);
    if (number) listed[*number] = true;
    return true;
  };
  reading::for_rows(path, row_name, bad, is_header, take);
  if (numbers.empty()) reading::refuse_empty(path, what + "s", row_name + " in each line", bad.count() - bad_before);
  return numbers;
}

} // namespace recsys
