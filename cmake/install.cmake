# lk-parallel | SPDX-License-Identifier: MIT
# Headers, the CMake package and the pkg-config file. Nothing here depends on the machine, so all of it goes to share/.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/lk-parallel)
set(pkgconfig_dir ${CMAKE_INSTALL_DATADIR}/pkgconfig)

# The prefix seen from the pkg-config file, so that an installed tree can be moved.
file(RELATIVE_PATH prefix_from_pkgconfig "${CMAKE_INSTALL_FULL_DATADIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" prefix_from_pkgconfig "${prefix_from_pkgconfig}")
set(includedir_for_pkgconfig "\${prefix}")
cmake_path(APPEND includedir_for_pkgconfig "${CMAKE_INSTALL_INCLUDEDIR}") # which may be an absolute path

write_basic_package_version_file(${PROJECT_BINARY_DIR}/lk-parallel-config-version.cmake
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
configure_file(cmake/lk-parallel.pc.in ${PROJECT_BINARY_DIR}/lk-parallel.pc @ONLY)

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME lk_parallel_dev)
install(DIRECTORY include/lk DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(TARGETS lk_parallel lk_parallel_header_only EXPORT lk-parallel-targets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT lk-parallel-targets NAMESPACE lk:: DESTINATION ${package_dir})
install(FILES cmake/lk-parallel-config.cmake cmake/Findhwloc.cmake cmake/compiled.cmake cmake/definitions.cpp
              ${PROJECT_BINARY_DIR}/lk-parallel-config-version.cmake DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/lk-parallel.pc DESTINATION ${pkgconfig_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT lk_parallel_license)
