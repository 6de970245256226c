// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <ranges>
#include <utility>
#include <vector>

// Runs a range of results to its end.

namespace lk::parallel::testing {

template <class Range> auto collect(Range&& range) {
  std::vector<std::ranges::range_value_t<Range>> all;
  for (auto& element : range) all.push_back(std::move(element));
  return all;
}

template <class Range> std::size_t count(Range&& range) {
  std::size_t n = 0;
  for ([[maybe_unused]] auto& element : range) ++n;
  return n;
}

} // namespace lk::parallel::testing
