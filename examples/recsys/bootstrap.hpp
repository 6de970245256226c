// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include <recsys/metrics.hpp>

// How far the numbers would move with other users: the percentile bootstrap of Efron and Tibshirani, "An Introduction
// to the Bootstrap", Chapman & Hall 1993, chapter 13. Whole users are drawn, since the ratings of one user hang
// together.

namespace recsys {

/// A number from 0 to n - 1, n at most 2^32; the bias is below n / 2^32.
template <std::uniform_random_bit_generator Random>
requires std::same_as<typename Random::result_type, std::uint64_t> std::size_t draw_below(Random& random,
                                                                                          std::size_t n) {
  return static_cast<std::size_t>(((random() >> 32) * n) >> 32);
}

/// One replicate: what the metrics would be for as many users, drawn with replacement.
template <class Random> metric_values resampled_values(std::span<const user_scores> users, Random& random) {
  score_sum sum;
  for (std::size_t i = 0; i < users.size(); ++i) sum.add(users[draw_below(random, users.size())]);
  return sum.values();
}

struct interval {
  double low = undefined, high = undefined;
  bool contains(double value) const { return low <= value && value <= high; }
};

/// The quantile at a share from 0 to 1 of sorted values: linear between neighbours (type 7 of Hyndman and Fan, "Sample
/// quantiles in statistical packages", The American Statistician 1996).
inline double quantile(std::span<const double> sorted, double at) {
  const double place = at * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// The middle part of the replicates that has this share of them. Those that are undefined do not count; where all are,
/// so is the interval.
inline interval percentile_interval(std::vector<double> replicates, double confidence) {
  std::erase_if(replicates, [](double one) { return std::isnan(one); });
  if (replicates.empty()) return {};
  std::sort(replicates.begin(), replicates.end());
  return {quantile(replicates, (1 - confidence) / 2), quantile(replicates, (1 + confidence) / 2)};
}

} // namespace recsys
