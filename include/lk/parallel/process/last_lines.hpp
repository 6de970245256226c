// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

// The last few lines that a worker logged, for the report of its death.

namespace lk::parallel::process {

class last_lines {
 public:
  void remember(std::string_view line) {
    constexpr std::size_t most_lines = 5, longest_line = 500;
    if (lines_.size() == most_lines) lines_.pop_front();
    lines_.emplace_back(line.substr(0, longest_line));
  }
  std::string joined() const {
    std::string all;
    for (const std::string& line : lines_) all += (all.empty() ? "" : "\n") + line;
    return all;
  }

 private:
  std::deque<std::string> lines_;
};

} // namespace lk::parallel::process
