// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

// Whether this program was built with a sanitizer, for tests that measure memory or time: a sanitizer's own memory is
// no leak and no copy of the model. Each use says why it opts out.

namespace lk::parallel::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool under_sanitizer = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool under_sanitizer = true;
#else
inline constexpr bool under_sanitizer = false;
#endif
#else
inline constexpr bool under_sanitizer = false;
#endif

} // namespace lk::parallel::testing
