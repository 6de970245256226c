// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <limits.h>
#include <stdio_ext.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/base/unique_fd.hpp>

// What a task prints (printf, std::cout), so that it comes out of the worker after each task and in one piece, though
// all workers share the host's standard output.

namespace lk::parallel::process {

/// glibc gives a stream that has written before no room in a new buffer until its next write to the file: the first
/// words would come out alone. So that write is made here, to nowhere.
inline void make_room_in_stdout() {
  if (::__fwriting(stdout) == 0) return;
  const base::unique_fd here(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  const base::unique_fd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (!here || !nowhere || ::dup2(nowhere.get(), STDOUT_FILENO) < 0) return;
  std::fputc('\n', stdout);
  std::fflush(stdout);
  ::dup2(here.get(), STDOUT_FILENO);
}

/// Gives stdout room for what a task usually prints, but on a terminal, where each line is written as it ends.
/// Fork: for a worker, before it prints and before it has threads.
inline void collect_printed_output() {
  static std::array<char, std::size_t{64} << 10> buffer; // the C library's own has a page
  if (::isatty(STDOUT_FILENO) != 0) return;
  std::setvbuf(stdout, buffer.data(), _IOFBF, buffer.size());
  make_room_in_stdout();
}

/// Writes what was printed since the last call. Blocks: as the reader of standard output does.
inline void show_printed_output() {
  const std::size_t pending = ::__fpending(stdout);
  if (pending == 0) return;
  if (pending <= PIPE_BUF) { // pipe(7): such a write is never mixed with others
    std::fflush(stdout);
    return;
  }
  // A lock of this process on the file that all share; gone with the process that holds it.
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  const bool is_locked = base::retry_eintr([&] { return ::fcntl(STDOUT_FILENO, F_SETLKW, &whole); }) == 0;
  std::fflush(stdout);
  whole.l_type = F_UNLCK;
  if (is_locked) ::fcntl(STDOUT_FILENO, F_SETLK, &whole);
}

} // namespace lk::parallel::process
