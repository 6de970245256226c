// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// What a person would see: the escape sequences of a display, interpreted on a grid of cells (ECMA-48). One code point
// takes one cell. A sequence that it does not know is an error, and so is one that is cut off.

namespace lk::parallel::testing {

class terminal_emulator {
 public:
  terminal_emulator(std::size_t columns, std::size_t rows) : columns_(columns), rows_(rows) {}

  void feed(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      if (text[at] == '\x1b')
        at += escape(text.substr(at));
      else if (text[at] == '\r')
        column_ = 0, ++at;
      else if (text[at] == '\n')
        next_row(), ++at;
      else
        at += put(text.substr(at));
    }
  }

  /// All rows, also those that scrolled away, without the blanks at their ends and the empty rows at the end.
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const cells& row : grid_) {
      std::string line;
      for (const std::string& cell : row) line += cell.empty() ? " " : cell;
      line.erase(line.find_last_not_of(' ') + 1);
      all.push_back(line);
    }
    while (!all.empty() && all.back().empty()) all.pop_back();
    return all;
  }
  std::size_t row() const { return row_; }
  std::size_t column() const { return column_; }
  bool has_colour() const { return has_colour_; }

 private:
  using cells = std::vector<std::string>;

  void next_row() {
    ++row_;
    if (grid_.size() <= row_) grid_.resize(row_ + 1);
  }

  /// The first row that is not scrolled away.
  std::size_t top() const { return grid_.size() > rows_ ? grid_.size() - rows_ : 0; }

  std::size_t put(std::string_view text) {
    std::size_t length = 1;
    while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) ++length;
    if (static_cast<unsigned char>(text[0]) < 0x20) throw std::runtime_error("a control character came to the screen");
    if (column_ == columns_) { // the wrap that waits at the margin
      next_row();
      column_ = 0;
    }
    cells& row = grid_[row_];
    if (row.size() <= column_) row.resize(column_ + 1);
    row[column_++] = std::string(text.substr(0, length));
    return length;
  }

  /// ESC [ parameters letter: EL and ED to the end, CUU, SGR.
  std::size_t escape(std::string_view text) {
    const std::size_t letter = text.size() > 2 && text[1] == '[' ? text.find_first_not_of("0123456789;", 2) : text.npos;
    if (letter == text.npos) throw std::runtime_error("an escape sequence is cut off");
    const std::string parameters(text.substr(2, letter - 2));
    cells& row = grid_[row_];
    switch (text[letter]) {
    case 'J':
      grid_.resize(row_ + 1);
      [[fallthrough]];
    case 'K':
      grid_[row_].resize(std::min(row.size(), column_));
      break;
    case 'A':
      row_ -= std::min(row_ - top(), parameters.empty() ? std::size_t{1} : std::stoul(parameters));
      break;
    case 'm':
      has_colour_ = true;
      break;
    default:
      throw std::runtime_error("an escape sequence is unknown: " + std::string(text.substr(1, letter)));
    }
    return letter + 1;
  }

  std::size_t columns_, rows_;
  std::vector<cells> grid_{1};
  std::size_t row_ = 0, column_ = 0;
  bool has_colour_ = false;
};

} // namespace lk::parallel::testing
