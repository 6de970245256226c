// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/base/unique_fd.hpp>

// A pseudo-terminal whose other end is read by a thread, and stdout and stderr of this process moved onto it for a
// while.

namespace lk::parallel::testing {

class pseudo_terminal {
 public:
  pseudo_terminal(unsigned short columns, unsigned short rows)
      : master_(base::check("posix_openpt", "", [] { return ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC); })) {
    base::check("grantpt", "", [&] { return ::grantpt(master_.get()); });
    base::check("unlockpt", "", [&] { return ::unlockpt(master_.get()); });
    char name[128];
    base::check("ptsname_r", "", [&] { return -::ptsname_r(master_.get(), name, sizeof name); });
    screen_ = base::unique_fd(base::check("open", "", [&] { return ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC); }));
    resize(columns, rows);
    reader_ = std::jthread([this] { read_to_end(); });
  }

  pseudo_terminal(const pseudo_terminal&) = delete;
  pseudo_terminal& operator=(const pseudo_terminal&) = delete;
  ~pseudo_terminal() { screen_.reset(); } // else the reader would wait for ever

  int fd() const { return screen_.get(); }
  void resize(unsigned short columns, unsigned short rows) const {
    const winsize size{rows, columns, 0, 0};
    base::check("ioctl", "", [&] { return ::ioctl(screen_.get(), TIOCSWINSZ, &size); });
  }

  /// All that was written; the terminal is gone then. Blocks: until whoever has it open has closed it.
  std::string text() {
    screen_.reset();
    if (reader_.joinable()) reader_.join();
    return text_;
  }

 private:
  void read_to_end() {
    char bytes[4096];
    while (true) { // EIO: nobody has the other end open any more
      const auto n = base::retry_eintr([&] { return ::read(master_.get(), bytes, sizeof bytes); });
      if (n <= 0) return;
      text_.append(bytes, static_cast<std::size_t>(n));
    }
  }

  base::unique_fd master_, screen_;
  std::string text_; // the reader's until it is joined
  std::jthread reader_;
};

/// For its life, stdout and stderr of this process are that terminal: no word from the test framework meanwhile.
class standard_streams_on {
 public:
  explicit standard_streams_on(const pseudo_terminal& terminal) {
    std::fflush(nullptr);
    for (int fd : {STDOUT_FILENO, STDERR_FILENO}) {
      before_[static_cast<std::size_t>(fd - 1)] = base::unique_fd(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
      ::dup2(terminal.fd(), fd);
    }
  }
  standard_streams_on(const standard_streams_on&) = delete;
  standard_streams_on& operator=(const standard_streams_on&) = delete;
  ~standard_streams_on() {
    std::fflush(nullptr);
    for (int fd : {STDOUT_FILENO, STDERR_FILENO}) ::dup2(before_[static_cast<std::size_t>(fd - 1)].get(), fd);
  }

 private:
  std::array<base::unique_fd, 2> before_;
};

} // namespace lk::parallel::testing
