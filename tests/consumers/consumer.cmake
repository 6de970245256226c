# lk-parallel | SPDX-License-Identifier: MIT
# What the CMake consumers have in common after they have made lk::parallel known. CONSUMER_SOURCE: another program;
# CONSUMER_LIBRARY: another target.

set(CONSUMER_SOURCE ../main.cpp CACHE FILEPATH "The program")
set(CONSUMER_LIBRARY lk::parallel CACHE STRING "What it links")
add_executable(consumer ${CONSUMER_SOURCE})
target_link_libraries(consumer PRIVATE ${CONSUMER_LIBRARY})
target_compile_options(consumer PRIVATE -Wall -Wextra -Werror)
