# lk-parallel | SPDX-License-Identifier: MIT
# What the CMake consumers have in common after they have made lk::parallel known. CONSUMER_SOURCE: another program.

set(CONSUMER_SOURCE ../main.cpp CACHE FILEPATH "The program")
add_executable(consumer ${CONSUMER_SOURCE})
target_link_libraries(consumer PRIVATE lk::parallel)
target_compile_options(consumer PRIVATE -Wall -Wextra -Werror)
