# lk-parallel | SPDX-License-Identifier: MIT
# What every test build has in common, whatever its compiler: lightly optimised, assertions on, short debug information.
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1" CACHE STRING "")
set(LK_PARALLEL_BUILD_TESTS ON CACHE BOOL "")
set(LK_PARALLEL_BUILD_EXAMPLES ON CACHE BOOL "")
set(LK_PARALLEL_BUILD_BENCHMARKS OFF CACHE BOOL "")
