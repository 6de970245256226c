// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <string_view>

#include <lk/parallel/base/posix.hpp>

// The terminal behind a descriptor: which it is, how large, and how text gets there.

namespace lk::parallel::report {

struct terminal_size {
  std::size_t columns = 80, rows = 24;
  friend bool operator==(const terminal_size&, const terminal_size&) = default;
};

/// The size now; 80 by 24 where it is unknown.
inline terminal_size size_of_terminal(int fd) noexcept {
  terminal_size size;
  winsize told{};
  if (::ioctl(fd, TIOCGWINSZ, &told) != 0) return size;
  if (told.ws_col > 0) size.columns = told.ws_col;
  if (told.ws_row > 0) size.rows = told.ws_row;
  return size;
}

/// True where both are the same terminal.
inline bool is_same_terminal(int one, int other) noexcept {
  struct stat a, b;
  return ::isatty(one) == 1 && ::isatty(other) == 1 && ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 &&
         a.st_rdev == b.st_rdev;
}

/// Writes all it can; a display has nobody to tell about an error.
inline void write_quietly(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const auto n = base::retry_eintr([&] { return ::write(fd, text.data(), text.size()); });
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

} // namespace lk::parallel::report
