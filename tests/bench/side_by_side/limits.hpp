// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <thread>
#include <vector>

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contest.hpp"

// What bare code without any library reaches on this machine, for the same amounts of data: the limits.

namespace side_by_side {

/// Memory shared with the processes forked later.
template <class T> class shared_value {
 public:
  shared_value()
      : value_(new (::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) T()) {}
  ~shared_value() { ::munmap(static_cast<void*>(value_), sizeof(T)); }
  shared_value(const shared_value&) = delete;
  shared_value& operator=(const shared_value&) = delete;
  T* operator->() const { return value_; }

 private:
  T* value_;
};

/// A ring of results with one writer and one reader, which spin for each other and give up the CPU while they do.
template <class Result> class bare_ring {
  static_assert(std::is_trivially_copyable_v<Result>);

 public:
  void put(const Result& result) {
    if (tail_mine_ - head_seen_ == n_slots)
      while (tail_mine_ - (head_seen_ = head_.load(std::memory_order_acquire)) == n_slots) std::this_thread::yield();
    slots_[tail_mine_++ % n_slots] = result;
    if (tail_mine_ % stride == 0) flush();
  }
  void flush() { tail_.store(tail_mine_, std::memory_order_release); }
  /// In place; good until the next call.
  const Result& take() {
    if (head_mine_ % stride == 0) head_.store(head_mine_, std::memory_order_release);
    if (head_mine_ == tail_seen_) {
      head_.store(head_mine_, std::memory_order_release);
      while (head_mine_ == (tail_seen_ = tail_.load(std::memory_order_acquire))) std::this_thread::yield();
    }
    return slots_[head_mine_++ % n_slots];
  }

 private:
  static constexpr std::uint64_t n_slots = std::max<std::uint64_t>(16, (std::uint64_t{1} << 20) / sizeof(Result));
  static constexpr std::uint64_t stride = std::max<std::uint64_t>(1, 4096 / sizeof(Result));
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t tail_mine_ = 0, head_seen_ = 0; // of the writer
  alignas(64) std::atomic<std::uint64_t> head_{0};
  std::uint64_t head_mine_ = 0, tail_seen_ = 0; // of the reader
  alignas(64) Result slots_[n_slots];
};

/// Every n-th argument is worker n's, which the fork has given it: only results travel. Results in order.
template <class W, class Slot, class Make, class Digest>
figures measure_bare_ring(const typename W::model_type& model, const std::vector<typename W::argument>& arguments,
                          int n_workers, Make make_slot, Digest digest_of_slot) {
  figures got;
  const double cpu_here = cpu_seconds(RUSAGE_SELF), cpu_children = cpu_seconds(RUSAGE_CHILDREN);
  const auto begin = clock::now();
  const auto n = static_cast<std::size_t>(n_workers);
  std::vector<shared_value<bare_ring<Slot>>> rings(n);
  std::vector<pid_t> pids;
  for (std::size_t worker = 0; worker < n; ++worker) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      for (int pass = 0; pass < 2; ++pass)
        for (std::size_t i = worker; i < arguments.size(); i += n) rings[worker]->put(make_slot(model, arguments[i]));
      rings[worker]->flush();
      ::_exit(0);
    }
    pids.push_back(pid);
  }
  const auto begin_work = clock::now();
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const Slot& slot = rings[i % n]->take();
      if (pass == 0 && i == 0) got.first_result = seconds_since(begin);
      got.checksum += (i + 1) * digest_of_slot(slot);
    }
  }
  got.work = seconds_since(begin_work);
  for (const pid_t pid : pids) ::waitpid(pid, nullptr, 0);
  got.whole = seconds_since(begin);
  got.cpu_here = cpu_seconds(RUSAGE_SELF) - cpu_here;
  got.cpu_workers = cpu_seconds(RUSAGE_CHILDREN) - cpu_children;
  return got;
}

/// Times of single round trips between two processes that sleep on a futex each. Units: seconds.
inline std::vector<double> futex_round_trips(int n) {
  struct table {
    std::atomic<std::uint32_t> turn{0};
  };
  const shared_value<table> both;
  const auto sleep_while = [&](std::uint32_t value) {
    while (both->turn.load(std::memory_order_acquire) == value)
      ::syscall(SYS_futex, &both->turn, FUTEX_WAIT, value, nullptr, nullptr, 0);
  };
  const auto hand_over = [&](std::uint32_t value) {
    both->turn.store(value, std::memory_order_release);
    ::syscall(SYS_futex, &both->turn, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  };
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (int i = 0; i < n; ++i) {
      sleep_while(static_cast<std::uint32_t>(2 * i));
      hand_over(static_cast<std::uint32_t>(2 * i + 2));
    }
    ::_exit(0);
  }
  std::vector<double> times;
  for (int i = 0; i < n; ++i) {
    const auto begin = clock::now();
    hand_over(static_cast<std::uint32_t>(2 * i + 1));
    sleep_while(static_cast<std::uint32_t>(2 * i + 1));
    times.push_back(seconds_since(begin));
  }
  ::waitpid(pid, nullptr, 0);
  return times;
}

/// A fork of this process and one of its child, as host to zygote to worker: until the grandchild is at work.
inline double two_forks() {
  struct mark {
    std::atomic<std::int64_t> at{0};
  };
  const shared_value<mark> arrived;
  const auto begin = clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      arrived->at.store((clock::now() - begin).count(), std::memory_order_relaxed);
      ::_exit(0);
    }
    ::waitpid(grandchild, nullptr, 0);
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  return std::chrono::duration<double>(clock::duration(arrived->at.load(std::memory_order_relaxed))).count();
}

} // namespace side_by_side
