# lk-parallel | SPDX-License-Identifier: MIT
# Finds hwloc 2, which has no CMake package of its own, and defines hwloc::hwloc. pkg-config is asked for hints where it
# is there; without it the compiler's own folders and CMAKE_PREFIX_PATH are searched.

find_package(PkgConfig QUIET)
if(PKG_CONFIG_FOUND)
  pkg_check_modules(PC_HWLOC QUIET hwloc)
endif()

find_path(hwloc_INCLUDE_DIR hwloc.h HINTS ${PC_HWLOC_INCLUDE_DIRS})
find_library(hwloc_LIBRARY hwloc HINTS ${PC_HWLOC_LIBRARY_DIRS})
mark_as_advanced(hwloc_INCLUDE_DIR hwloc_LIBRARY)

if(hwloc_INCLUDE_DIR)
  # HWLOC_API_VERSION is (X<<16)+(Y<<8)+Z of the API; 0x00020000 is the first of hwloc 2.
  file(STRINGS "${hwloc_INCLUDE_DIR}/hwloc.h" api_line REGEX "define HWLOC_API_VERSION 0x0002")
  if(NOT api_line)
    set(hwloc_INCLUDE_DIR "hwloc_INCLUDE_DIR-NOTFOUND")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(hwloc REQUIRED_VARS hwloc_LIBRARY hwloc_INCLUDE_DIR)

if(hwloc_FOUND AND NOT TARGET hwloc::hwloc)
  add_library(hwloc::hwloc UNKNOWN IMPORTED)
  set_target_properties(hwloc::hwloc PROPERTIES IMPORTED_LOCATION "${hwloc_LIBRARY}"
                                                INTERFACE_INCLUDE_DIRECTORIES "${hwloc_INCLUDE_DIR}")
endif()
