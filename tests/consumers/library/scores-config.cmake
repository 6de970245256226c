# lk-parallel | SPDX-License-Identifier: MIT
include(CMakeFindDependencyMacro)
find_dependency(lk-parallel)
include("${CMAKE_CURRENT_LIST_DIR}/scores-targets.cmake")
