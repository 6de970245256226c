// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

// The one place where the version number is written; CMake reads it from here.

#define LK_PARALLEL_VERSION_MAJOR 0
#define LK_PARALLEL_VERSION_MINOR 1
#define LK_PARALLEL_VERSION_PATCH 0

#include <compare>

namespace lk::parallel {

struct version_number {
  int major, minor, patch;
  friend constexpr auto operator<=>(const version_number&, const version_number&) = default;
};

inline constexpr version_number version{LK_PARALLEL_VERSION_MAJOR, LK_PARALLEL_VERSION_MINOR,
                                        LK_PARALLEL_VERSION_PATCH};

} // namespace lk::parallel
