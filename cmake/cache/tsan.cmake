# lk-parallel | SPDX-License-Identifier: MIT
# cmake -C cmake/cache/tsan.cmake -B build/tsan, then ctest -LE forks: the tests under the thread sanitizer. Those with
# the label `forks` are left out: the sanitizer cannot follow a threaded program through fork.
set(CMAKE_CXX_FLAGS "-fsanitize=thread -fno-omit-frame-pointer" CACHE STRING "")
include("${CMAKE_CURRENT_LIST_DIR}/clang.cmake")
