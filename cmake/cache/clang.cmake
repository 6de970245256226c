# lk-parallel | SPDX-License-Identifier: MIT
# cmake -C cmake/cache/clang.cmake -B build/clang: the tests with clang++. Debian 12's plain clang++ is version 14, which
# cannot compile the ranges of libstdc++ 12, so a numbered one is looked for first.
find_program(clang NAMES clang++-19 clang++-18 clang++ REQUIRED)
set(CMAKE_CXX_COMPILER "${clang}" CACHE STRING "")
include("${CMAKE_CURRENT_LIST_DIR}/tests.cmake")
