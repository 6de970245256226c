// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>
#include <sys/resource.h>

// Stands in for a full disk.

namespace lk::parallel::testing {

/// For its life no file of this process, or of one that it starts, can grow beyond some bytes.
class short_files {
 public:
  explicit short_files(rlim_t bytes) : handler_before_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  short_files(const short_files&) = delete;
  short_files& operator=(const short_files&) = delete;
  ~short_files() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_before_);
  }

 private:
  sighandler_t handler_before_;
  rlimit before_;
};

} // namespace lk::parallel::testing
