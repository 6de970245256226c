# lk-parallel | SPDX-License-Identifier: MIT
# lk_parallel_require(PACKAGE WHAT [VERSION]): finds a package or stops with a sentence that says what to install.
# Its targets are made global, so that lk::parallel can be linked from any folder of a project that adds this one.

list(PREPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")

macro(lk_parallel_require package what)
  find_package(${package} ${ARGN} QUIET GLOBAL)
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "lk-parallel needs ${what}, and CMake did not find it. Install it, "
                        "or add the folder it lies in to CMAKE_PREFIX_PATH.")
  endif()
endmacro()
