# lk-parallel | SPDX-License-Identifier: MIT
# find_package(lk-parallel) comes here. Components are a seam: `core` is lk::parallel and lk::parallel_header_only,
# `compiled` adds lk::parallel_compiled; later wings get a name of their own.

set(lk-parallel_core_FOUND TRUE)
set(lk-parallel_compiled_FOUND TRUE)
foreach(component IN LISTS lk-parallel_FIND_COMPONENTS)
  if(NOT lk-parallel_${component}_FOUND AND lk-parallel_FIND_REQUIRED_${component})
    set(lk-parallel_FOUND FALSE)
    set(lk-parallel_NOT_FOUND_MESSAGE
        "lk-parallel ${lk-parallel_VERSION} has no component `${component}`; its components are `core` and `compiled`.")
    return()
  endif()
endforeach()

include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(TBB 2021.6)
find_dependency(spdlog 1.9)

# The module for hwloc lies in this folder. The caller's module path is left as it was, found or not.
list(PREPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")
find_package(hwloc QUIET MODULE)
list(POP_FRONT CMAKE_MODULE_PATH)
if(NOT hwloc_FOUND)
  set(lk-parallel_FOUND FALSE)
  set(lk-parallel_NOT_FOUND_MESSAGE "lk-parallel needs hwloc 2 (Debian, Ubuntu: libhwloc-dev), which was not found.")
  return()
endif()

# The source of lk::parallel lies beside this file, wherever that was moved to.
if(NOT TARGET lk::parallel)
  include("${CMAKE_CURRENT_LIST_DIR}/lk-parallel-targets.cmake")
  set_target_properties(lk::parallel PROPERTIES INTERFACE_SOURCES "${CMAKE_CURRENT_LIST_DIR}/definitions.cpp")
endif()
if("compiled" IN_LIST lk-parallel_FIND_COMPONENTS AND NOT TARGET lk::parallel_compiled)
  include("${CMAKE_CURRENT_LIST_DIR}/compiled.cmake")
endif()
