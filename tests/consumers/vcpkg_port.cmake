# lk-parallel | SPDX-License-Identifier: MIT
# cmake -DPORT=folder -DVERSION=x.y.z -DOUT=folder -P vcpkg_port.cmake: runs a vcpkg port with stand-ins for the functions
# of vcpkg that it calls, which do what matters here: configure, install, move the CMake package to share/PORT.

file(READ ${PORT}/vcpkg.json manifest)
foreach(member IN ITEMS name version license supports)
  string(JSON ${member} GET "${manifest}" ${member}) # an error where it is no JSON or has no such member
endforeach()
if(NOT version STREQUAL VERSION)
  message(FATAL_ERROR "${PORT}/vcpkg.json has version ${version} instead of ${VERSION}")
endif()

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 GIVEN "" "SOURCE_PATH" "OPTIONS")
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${GIVEN_SOURCE_PATH} -B ${OUT}/build ${GIVEN_OPTIONS}
                          -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
function(vcpkg_cmake_install)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${OUT}/build --target install COMMAND_ERROR_IS_FATAL ANY)
endfunction()
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 GIVEN "" "CONFIG_PATH" "")
  file(RENAME ${CURRENT_PACKAGES_DIR}/${GIVEN_CONFIG_PATH} ${CURRENT_PACKAGES_DIR}/share/${name})
endfunction()
function(vcpkg_fixup_pkgconfig)
endfunction()
function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 GIVEN "" "" "FILE_LIST")
  file(COPY ${GIVEN_FILE_LIST} DESTINATION ${CURRENT_PACKAGES_DIR}/share/${name})
endfunction()

file(REMOVE_RECURSE ${OUT})
set(CURRENT_PACKAGES_DIR ${OUT}/packages)
include(${PORT}/portfile.cmake)

foreach(expected IN ITEMS include/lk/parallel.hpp share/lk-parallel/lk-parallel-config.cmake share/lk-parallel/LICENSE
                          share/pkgconfig/lk-parallel.pc)
  if(NOT EXISTS ${CURRENT_PACKAGES_DIR}/${expected})
    message(FATAL_ERROR "the port does not install ${expected}")
  endif()
endforeach()
