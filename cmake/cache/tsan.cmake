# lk-parallel | SPDX-License-Identifier: MIT
# cmake -C cmake/cache/tsan.cmake -B build/tsan, then ctest -LE forks: the tests under the thread sanitizer. Those with
# the label `forks` are left out: the sanitizer cannot follow a threaded program through fork.
set(CMAKE_CXX_FLAGS "-fsanitize=thread -fno-omit-frame-pointer" CACHE STRING "")
set(LK_PARALLEL_TESTS_WITHOUT_FORKS ON CACHE BOOL "The thread sanitizer does not follow forks")
include("${CMAKE_CURRENT_LIST_DIR}/clang.cmake")
