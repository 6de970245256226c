# lk-parallel | SPDX-License-Identifier: MIT
# lk::parallel_compiled: as lk::parallel, but its source is compiled once for all targets of a project, in a static library
# of the project that links it, and only there. Built where something links it.

add_library(lk_parallel_compiled STATIC EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/definitions.cpp)
add_library(lk::parallel_compiled ALIAS lk_parallel_compiled)
target_link_libraries(lk_parallel_compiled PUBLIC lk::parallel_header_only)
target_compile_definitions(lk_parallel_compiled PUBLIC LK_PARALLEL_COMPILED)
set_target_properties(lk_parallel_compiled PROPERTIES POSITION_INDEPENDENT_CODE ON)
