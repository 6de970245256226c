# lk-parallel | SPDX-License-Identifier: MIT
# find_package(lk-parallel) comes here. Components are a seam: `core` is lk::parallel; later wings get a name of their own.

include(CMakeFindDependencyMacro)
list(PREPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")
find_dependency(Threads)
find_dependency(TBB 2021.6)
find_dependency(hwloc)
find_dependency(spdlog 1.9)
list(REMOVE_AT CMAKE_MODULE_PATH 0)

include("${CMAKE_CURRENT_LIST_DIR}/lk-parallel-targets.cmake")

set(lk-parallel_core_FOUND TRUE)
foreach(component IN LISTS lk-parallel_FIND_COMPONENTS)
  if(NOT lk-parallel_${component}_FOUND AND lk-parallel_FIND_REQUIRED_${component})
    set(lk-parallel_FOUND FALSE)
    set(lk-parallel_NOT_FOUND_MESSAGE
        "lk-parallel ${lk-parallel_VERSION} has no component `${component}`; its only component is `core`.")
  endif()
endforeach()
