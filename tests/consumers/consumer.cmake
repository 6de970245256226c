# lk-parallel | SPDX-License-Identifier: MIT
# What the three CMake consumers have in common after they have made lk::parallel known.

add_executable(consumer ../main.cpp)
target_link_libraries(consumer PRIVATE lk::parallel)
target_compile_options(consumer PRIVATE -Wall -Wextra -Werror)
