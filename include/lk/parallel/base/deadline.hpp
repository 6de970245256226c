// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <climits>

// A point in time after which waiting is pointless. Every bounded wait of the library takes one.

namespace lk::parallel::base {

class deadline {
 public:
  using clock = std::chrono::steady_clock;

  static deadline after(std::chrono::nanoseconds span) { return deadline(clock::now() + span); }
  static deadline never() { return deadline(clock::time_point::max()); }

  bool is_never() const { return at_ == clock::time_point::max(); }
  bool passed() const { return !is_never() && clock::now() >= at_; }

  /// Units: nanoseconds, at least 0; meaningless for never().
  std::chrono::nanoseconds left() const {
    return std::max(std::chrono::nanoseconds{0}, std::chrono::nanoseconds(at_ - clock::now()));
  }

  /// Units: milliseconds for poll(2), rounded up; -1 waits without a limit.
  int poll_timeout() const {
    if (is_never()) return -1;
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left()).count();
    return static_cast<int>(std::min<long long>(ms, INT_MAX));
  }

 private:
  explicit deadline(clock::time_point at) : at_(at) {}
  clock::time_point at_;
};

} // namespace lk::parallel::base
