// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>

// How often a display draws. It has no clock: time is a number in the snapshots.

namespace lk::parallel::report {

/// Says when enough time has passed since it last said so. The first time it does not ask.
class pacer {
 public:
  explicit pacer(std::chrono::nanoseconds interval) : interval_(interval) {}
  bool due(std::chrono::nanoseconds now) {
    if (last_ && now - *last_ < interval_) return false;
    last_ = now;
    return true;
  }

 private:
  std::chrono::nanoseconds interval_;
  std::optional<std::chrono::nanoseconds> last_;
};

} // namespace lk::parallel::report
