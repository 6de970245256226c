// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <string>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

// The one door to Catch2: version 2 (Debian 12) and version 3 (newer systems) look the same behind it. Catch2's macros
// belong to the main thread of the test process: never in a second thread, never in a child (in_child.hpp).

namespace lk::parallel::testing {

#if __has_include(<catch2/catch_all.hpp>)
using Catch::Approx;
#else
using Catch::Detail::Approx;
#endif

/// Matches a text that holds `part`: REQUIRE_THROWS_WITH(call(), contains("LK_NUM_PROCS")).
inline auto contains(const std::string& part) {
#if __has_include(<catch2/catch_all.hpp>)
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

} // namespace lk::parallel::testing
