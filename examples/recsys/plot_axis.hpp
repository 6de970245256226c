// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <recsys/shown_numbers.hpp>

// From values to places on paper: an axis that begins a little before the least value and ends a little behind the
// greatest, with ticks at round numbers.

namespace recsys {

class plot_axis {
 public:
  /// Units of begin and end: pixels.
  plot_axis(double least, double most, double begin, double end) : begin_(begin), end_(end) {
    const double width = std::max(most - least, 1e-3 * std::max(std::abs(most), 1.0));
    low_ = least - 0.08 * width;
    high_ = std::max(most, least + width) + 0.08 * width;
    step_ = round_step((high_ - low_) / 4.6);
  }

  double place(double value) const { return begin_ + (value - low_) / (high_ - low_) * (end_ - begin_); }

  /// Round numbers, five at most, so that there is room for their texts.
  std::vector<double> ticks() const {
    std::vector<double> all;
    for (double n = std::ceil(low_ / step_); n * step_ <= high_; ++n) all.push_back(n * step_);
    return all;
  }

  /// With as many decimals as the ticks need to differ.
  std::string text(double tick) const {
    const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step_) + 1e-9)));
    return with_decimals(tick + 0.0, decimals);
  }

 private:
  /// 1, 2 or 5 times a power of ten, at least `wanted`.
  static double round_step(double wanted) {
    const double power = std::pow(10.0, std::floor(std::log10(wanted)));
    for (const double times : {1.0, 2.0, 5.0})
      if (times * power >= wanted) return times * power;
    return 10 * power;
  }

  double begin_, end_, low_, high_, step_;
};

} // namespace recsys
