# lk-parallel | SPDX-License-Identifier: MIT
# The targets. lk::parallel_header_only is the headers and what they link. lk::parallel adds one source to each target that
# links it, which compiles there what knows none of the user's types; all others of its units are quick to compile then.
# lk::parallel_compiled has that source in a static library. An installed package makes the same of the files beside it.

add_library(lk_parallel_header_only INTERFACE)
add_library(lk::parallel_header_only ALIAS lk_parallel_header_only)
set_target_properties(lk_parallel_header_only PROPERTIES EXPORT_NAME parallel_header_only)
target_compile_features(lk_parallel_header_only INTERFACE cxx_std_20)
target_include_directories(lk_parallel_header_only INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
target_link_libraries(lk_parallel_header_only INTERFACE Threads::Threads TBB::tbb hwloc::hwloc spdlog::spdlog
                                                        ${CMAKE_DL_LIBS})

add_library(lk_parallel INTERFACE)
add_library(lk::parallel ALIAS lk_parallel)
set_target_properties(lk_parallel PROPERTIES EXPORT_NAME parallel)
target_link_libraries(lk_parallel INTERFACE lk_parallel_header_only)
target_compile_definitions(lk_parallel INTERFACE LK_PARALLEL_COMPILED)
target_sources(lk_parallel INTERFACE $<BUILD_INTERFACE:${CMAKE_CURRENT_LIST_DIR}/definitions.cpp>)

include(${CMAKE_CURRENT_LIST_DIR}/compiled.cmake)
