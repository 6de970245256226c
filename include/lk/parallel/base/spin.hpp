// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

// A short wait on the processor for something another processor is about to do. Short on purpose: on a machine with
// fewer processors than busy processes, every spin takes time from the process one is waiting for.

namespace lk::parallel::base {

inline void spin_pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Some one to three microseconds. True as soon as the condition is.
template <class Condition> bool spin_until(Condition&& condition) {
  constexpr int rounds = 64;
  for (int round = 0; round < rounds; ++round) {
    if (condition()) return true;
    spin_pause();
  }
  return condition();
}

} // namespace lk::parallel::base
