# lk-parallel | SPDX-License-Identifier: MIT
# cmake -C cmake/cache/release.cmake -B build/release: optimised examples and benchmarks, no tests.
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(LK_PARALLEL_BUILD_TESTS OFF CACHE BOOL "")
set(LK_PARALLEL_BUILD_BENCHMARKS OFF CACHE BOOL "")
