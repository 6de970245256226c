// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <random>
#include <vector>

// What libFuzzer would do without its coverage: good messages, damaged by a seeded generator, the same on every run.
// (mt19937_64 and its plain remainder give the same numbers everywhere, unlike the standard distributions.)

namespace lk::parallel::testing {

using message = std::vector<std::byte>;

class damage {
 public:
  explicit damage(std::uint64_t seed) : random_(seed) {}

  message operator()(message bytes, const message& other) {
    for (std::size_t hits = 1 + below(4); hits > 0; --hits) hit(bytes, other);
    return bytes;
  }

 private:
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  void hit(message& bytes, const message& other) {
    if (bytes.empty()) bytes.push_back(std::byte{0});
    const std::size_t at = below(bytes.size());
    const auto spot = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(6)) {
    case 0: // one bit
      bytes[at] ^= static_cast<std::byte>(1U << below(8));
      break;
    case 1: // one byte
      bytes[at] = static_cast<std::byte>(below(256));
      break;
    case 2: { // a number that a length may take
      constexpr std::uint64_t numbers[] = {0,
                                           1,
                                           2,
                                           127,
                                           128,
                                           255,
                                           65536,
                                           std::uint64_t{1} << 32,
                                           std::uint64_t{1} << 61,
                                           std::uint64_t{1} << 63,
                                           ~std::uint64_t{0}};
      const std::uint64_t number = numbers[below(std::size(numbers))];
      std::memcpy(bytes.data() + at, &number, std::min(sizeof number, bytes.size() - at));
      break;
    }
    case 3: // cut
      bytes.resize(at);
      break;
    case 4: { // a piece of another message
      const std::size_t from = below(other.size());
      const std::size_t n = 1 + below(other.size() - from);
      const auto piece = other.begin() + static_cast<std::ptrdiff_t>(from);
      bytes.insert(spot, piece, piece + static_cast<std::ptrdiff_t>(n));
      break;
    }
    default: { // a piece of itself again
      const message piece(spot, bytes.begin() + static_cast<std::ptrdiff_t>(at + 1 + below(bytes.size() - at)));
      bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), piece.begin(), piece.end());
      break;
    }
    }
  }

  std::mt19937_64 random_;
};

/// Calls run(input) for `rounds` inputs made of one sample. Damage piles up for a while, so that inputs far from the
/// good one are seen too.
template <class Run>
void run_damaged(const std::vector<message>& samples, std::size_t which, int rounds, std::size_t longest, Run&& run) {
  damage damaged(which);
  message input = samples[which];
  for (int round = 0; round < rounds; ++round) {
    if (round % 8 == 0 || input.size() > longest) input = samples[which];
    input = damaged(std::move(input), samples[(which + static_cast<std::size_t>(round)) % samples.size()]);
    if (!input.empty()) run(input);
  }
}

} // namespace lk::parallel::testing
