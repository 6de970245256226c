// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

// The random stream of a task: a function of the map's seed and the task's index only, so that results do not depend on
// which worker runs a task, or when, or how often. Public as the type behind task_context::rng().

namespace lk::parallel {

/// xoshiro256** 1.0 (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", ACM TOMS 2021), seeded
/// through SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). The same
/// numbers on every machine; the standard's distributions are not, so prefer your own where that matters.
class task_rng {
 public:
  /// What one call gives.
  using result_type = std::uint64_t;
  /// The least number.
  static constexpr result_type min() { return 0; }
  /// The greatest number: every bit is random.
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  /// The stream that begins with this seed.
  constexpr explicit task_rng(std::uint64_t seed) {
    for (std::uint64_t& word : state_) word = mixed(seed += golden_ratio);
  }

  /// The next number.
  constexpr result_type operator()() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// The seed of the task with this index: well apart for neighbouring indices and roots.
  static constexpr std::uint64_t seed_of(std::uint64_t root, std::uint64_t index) {
    return mixed(mixed(root + golden_ratio) ^ (index * golden_ratio + 1));
  }

 private:
  static constexpr std::uint64_t golden_ratio = 0x9e3779b97f4a7c15;

  /// The finaliser of SplitMix64.
  static constexpr std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }

  std::uint64_t state_[4] = {};
};

} // namespace lk::parallel
