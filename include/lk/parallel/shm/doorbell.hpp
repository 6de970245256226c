// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>

#include <lk/parallel/base/posix.hpp>

// How one side wakes the other. A doorbell is rung only for a sleeper: the side that goes to sleep says so first, then
// looks once more, then sleeps; the side that made something says so first, then looks for a sleeper. Both put a
// sequentially consistent fence between the two steps, so at least one of them sees the other (Dekker's argument).
// Workers sleep on a futex, the host on an eventfd, which it can wait for together with other descriptors.

namespace lk::parallel::shm {

/// Written by the ringing side only; the sleeper may map it read-only (futex(2): FUTEX_WAIT only reads).
class futex_bell {
 public:
  std::uint32_t state() const { return rings_.load(std::memory_order_acquire); }

  /// Blocks: until ring() is called after state() returned `seen`; may return early. The ringing side's death must
  /// end this process, else nobody would ring.
  void wait(std::uint32_t seen) const { ::syscall(SYS_futex, &rings_, FUTEX_WAIT, seen, nullptr, nullptr, 0); }

  /// As wait, at most for `longest`.
  void wait(std::uint32_t seen, std::chrono::milliseconds longest) const {
    const timespec limit{.tv_sec = longest.count() / 1000, .tv_nsec = longest.count() % 1000 * 1'000'000};
    ::syscall(SYS_futex, &rings_, FUTEX_WAIT, seen, &limit, nullptr, 0);
  }

  /// Wakes all threads that wait.
  void ring() {
    rings_.fetch_add(1, std::memory_order_release);
    ::syscall(SYS_futex, &rings_, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }

 private:
  std::atomic<std::uint32_t> rings_{0};
};
static_assert(sizeof(futex_bell) == sizeof(std::uint32_t));

/// An eventfd that is readable while somebody has rung and nobody has silenced it.
class event_bell {
 public:
  event_bell()
      : fd_(base::above_stdio(base::unique_fd(base::check("eventfd", base::remedy_for_descriptors,
                                                          [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); })))) {}

  int fd() const { return fd_.get(); }

  void ring() const noexcept {
    const std::uint64_t one = 1;
    base::retry_eintr([&] { return ::write(fd_.get(), &one, sizeof one); }); // EAGAIN: it is ringing already
  }

  void silence() const noexcept {
    std::uint64_t count = 0;
    base::retry_eintr([&] { return ::read(fd_.get(), &count, sizeof count); });
  }

 private:
  base::unique_fd fd_;
};

} // namespace lk::parallel::shm
