// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/base/unique_fd.hpp>
#include <lk/parallel/report/log_record.hpp>
#include <lk/parallel/report/outlet.hpp>
#include <support/in_child.hpp>

// A child process whose log records come to the test through a pipe: the smallest transport there is.

namespace lk::parallel::testing {

inline bool write_all(int fd, const void* data, std::size_t n) {
  for (auto at = static_cast<const char*>(data); n > 0;) {
    const auto written = base::retry_eintr([&] { return ::write(fd, at, n); });
    if (written <= 0) return false;
    at += written;
    n -= static_cast<std::size_t>(written);
  }
  return true;
}

inline bool read_all(int fd, void* data, std::size_t n) {
  for (auto at = static_cast<char*>(data); n > 0;) {
    const auto got = base::retry_eintr([&] { return ::read(fd, at, n); });
    if (got <= 0) return false;
    at += got;
    n -= static_cast<std::size_t>(got);
  }
  return true;
}

class pipe_outlet final : public report::outlet {
 public:
  explicit pipe_outlet(int fd) : fd_(fd) {}
  void send(report::record_kind, std::span<const std::byte> record, report::urgency) override {
    const std::lock_guard lock(mutex_);
    const std::uint64_t n = record.size();
    if (!write_all(fd_, &n, sizeof n) || !write_all(fd_, record.data(), record.size()))
      throw std::runtime_error("the pipe is broken");
  }

 private:
  int fd_;
  std::mutex mutex_;
};

struct child_report {
  child_result end;
  std::vector<std::vector<std::byte>> records;
};

/// Runs fn(outlet) in a child and hands back how it ended and every record it sent, in order.
inline child_report records_of_child(const std::function<int(report::outlet&)>& fn) {
  int ends[2];
  base::check("pipe", base::remedy_for_descriptors, [&] { return ::pipe2(ends, O_CLOEXEC); });
  const base::unique_fd from(ends[0]);
  base::unique_fd to(ends[1]);
  child_report result;
  std::thread reader([&] {
    std::uint64_t n = 0;
    while (read_all(from.get(), &n, sizeof n)) {
      std::vector<std::byte> bytes(n);
      if (!read_all(from.get(), bytes.data(), bytes.size())) return;
      result.records.push_back(std::move(bytes));
    }
  });
  result.end = in_child([&] {
    pipe_outlet out(to.get());
    return fn(out);
  });
  to.reset();
  reader.join();
  return result;
}

} // namespace lk::parallel::testing
