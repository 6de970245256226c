// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include <lk/parallel/threads/chunk_loop.hpp>
#include <lk/parallel/threads/ordered_fold.hpp>
#include <support/catch.hpp>

using namespace lk::parallel;
using threads::arena;
using threads::loop_over;
using threads::ordered_fold;

TEST_CASE("a fold happens in the order of the indices, whatever the order of arrival") {
  std::vector<std::size_t> arrival(100);
  std::iota(arrival.begin(), arrival.end(), std::size_t{0});
  std::string expected;
  for (const std::size_t idx : arrival) expected += std::to_string(idx) + ' ';
  for (int shift = 0; shift < 5; ++shift) {
    std::rotate(arrival.begin(), arrival.begin() + 37, arrival.end());
    if (shift == 4) std::reverse(arrival.begin(), arrival.end());
    auto append = [](std::string total, std::size_t value) { return total + std::to_string(value) + ' '; };
    ordered_fold<std::string, std::size_t, decltype(append)> fold("", append);
    for (const std::size_t idx : arrival) fold.put(idx, idx);
    CHECK(fold.take() == expected);
  }
}

TEST_CASE("a parallel fold gives the same bits for any number of threads") {
  const auto sum_with = [](int n_threads) {
    arena training(n_threads, 1);
    auto add = [](double total, double value) { return total + value; };
    ordered_fold<double, double, decltype(add)> fold(0.0, add);
    loop_over(training, 10'000,
              [&](std::size_t idx) { fold.put(idx, 1.0 / (1.0 + static_cast<double>(idx * idx % 97))); });
    return std::bit_cast<std::uint64_t>(fold.take());
  };
  const std::uint64_t expected = sum_with(1);
  for (const int n_threads : {2, 3, 4}) {
    for (int round = 0; round < 5; ++round) CHECK(sum_with(n_threads) == expected);
  }
}
