// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

// The one place where the version number is written; CMake reads it from here.

/// version_number::major for the preprocessor.
#define LK_PARALLEL_VERSION_MAJOR 0
/// version_number::minor for the preprocessor.
#define LK_PARALLEL_VERSION_MINOR 1
/// version_number::patch for the preprocessor.
#define LK_PARALLEL_VERSION_PATCH 0

#include <compare>

namespace lk::parallel {

/// Versions of the same major and minor number can stand for each other (semantic versioning, before 1.0).
struct version_number {
  int major; ///< of the API as a whole
  int minor; ///< what find_package must agree on
  int patch; ///< changes no interface
  friend constexpr auto operator<=>(const version_number&, const version_number&) = default;
};

/// Of this library, for `if (lk::parallel::version >= ...)`; the preprocessor has LK_PARALLEL_VERSION_MAJOR and so on.
inline constexpr version_number version{LK_PARALLEL_VERSION_MAJOR, LK_PARALLEL_VERSION_MINOR,
                                        LK_PARALLEL_VERSION_PATCH};

} // namespace lk::parallel
