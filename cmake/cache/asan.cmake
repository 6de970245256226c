# lk-parallel | SPDX-License-Identifier: MIT
# cmake -C cmake/cache/asan.cmake -B build/asan: the tests under the address and undefined-behaviour sanitizers; the
# first finding ends the program. Without the optimiser: that takes half of the time to compile, and hides no finding.
set(CMAKE_CXX_FLAGS "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1" CACHE STRING "")
include("${CMAKE_CURRENT_LIST_DIR}/clang.cmake")
