# lk-parallel | SPDX-License-Identifier: MIT
# vcpkg install lk-parallel --overlay-ports=cmake/packaging/vcpkg: installs this source tree. Not tried with vcpkg itself;
# the test consumers.vcpkg_port runs it with stand-ins for vcpkg's functions.

set(VCPKG_BUILD_TYPE release) # headers only
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)

vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DLK_PARALLEL_BUILD_TESTS=OFF -DLK_PARALLEL_BUILD_EXAMPLES=OFF -DLK_PARALLEL_BUILD_BENCHMARKS=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/lk-parallel)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/doc")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
