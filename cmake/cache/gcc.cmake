# lk-parallel | SPDX-License-Identifier: MIT
# cmake -C cmake/cache/gcc.cmake -B build/gcc: the tests with g++, lightly optimised, assertions on.
set(CMAKE_CXX_COMPILER g++ CACHE STRING "")
include("${CMAKE_CURRENT_LIST_DIR}/tests.cmake")
