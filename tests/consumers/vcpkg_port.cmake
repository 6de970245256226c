# lk-parallel | SPDX-License-Identifier: MIT
# cmake -DPORT=folder -DVERSION=x.y.z -DOUT=folder -P vcpkg_port.cmake: runs a vcpkg port with stand-ins for the functions
# of vcpkg that it calls, which do what matters here: configure, install, move the CMake package to share/PORT, where a
# project must find it. What the manifest depends on is what the source tree requires.

file(READ ${PORT}/vcpkg.json manifest)
foreach(member IN ITEMS name version license supports)
  string(JSON ${member} GET "${manifest}" ${member}) # an error where it is no JSON or has no such member
endforeach()
if(NOT version STREQUAL VERSION)
  message(FATAL_ERROR "${PORT}/vcpkg.json has version ${version} instead of ${VERSION}")
endif()

get_filename_component(tree ${PORT}/../../../.. ABSOLUTE)
file(STRINGS ${tree}/CMakeLists.txt required REGEX "^lk_parallel_require")
list(TRANSFORM required REPLACE "lk_parallel_require\\(([A-Za-z]+).*" "\\1")
list(TRANSFORM required TOLOWER)
list(REMOVE_ITEM required threads) # of the C library
set(dependencies "")
string(JSON n_dependencies LENGTH "${manifest}" dependencies)
math(EXPR last "${n_dependencies} - 1")
foreach(i RANGE ${last})
  string(JSON type TYPE "${manifest}" dependencies ${i})
  if(type STREQUAL STRING) # objects are tools of the port
    string(JSON dependency GET "${manifest}" dependencies ${i})
    list(APPEND dependencies ${dependency})
  endif()
endforeach()
list(SORT required)
list(SORT dependencies)
if(NOT dependencies STREQUAL required)
  message(FATAL_ERROR "${PORT}/vcpkg.json depends on ${dependencies}, and the source tree on ${required}")
endif()

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 GIVEN "" "SOURCE_PATH" "OPTIONS")
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${GIVEN_SOURCE_PATH} -B ${OUT}/build ${GIVEN_OPTIONS}
                          -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR} COMMAND_ERROR_IS_FATAL ANY)
  foreach(option IN LISTS GIVEN_OPTIONS)
    string(REGEX REPLACE "-D([A-Z_]+)=(.*)" "\\1:BOOL=\\2" line ${option})
    file(STRINGS ${OUT}/build/CMakeCache.txt known REGEX "^${line}$")
    if(NOT known) # a word that nobody declares has no type
      message(FATAL_ERROR "the source tree has no option for ${option}")
    endif()
  endforeach()
endfunction()
function(vcpkg_cmake_install)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${OUT}/build --target install COMMAND_ERROR_IS_FATAL ANY)
endfunction()
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 GIVEN "" "CONFIG_PATH" "")
  file(RENAME ${CURRENT_PACKAGES_DIR}/${GIVEN_CONFIG_PATH} ${CURRENT_PACKAGES_DIR}/share/${name})
  file(GLOB targets ${CURRENT_PACKAGES_DIR}/share/${name}/*-targets.cmake)
  file(READ ${targets} text)
  set(up [[get_filename_component(_IMPORT_PREFIX "${_IMPORT_PREFIX}" PATH)]])
  string(REPLACE "${up}\n${up}\n${up}" "${up}\n${up}" text "${text}") # it lies one folder higher now
  file(WRITE ${targets} "${text}")
endfunction()
function(vcpkg_fixup_pkgconfig)
endfunction()
function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 GIVEN "" "" "FILE_LIST")
  configure_file(${GIVEN_FILE_LIST} ${CURRENT_PACKAGES_DIR}/share/${name}/copyright COPYONLY)
endfunction()

file(REMOVE_RECURSE ${OUT})
set(CURRENT_PACKAGES_DIR ${OUT}/packages)
include(${PORT}/portfile.cmake)

foreach(expected IN ITEMS include/lk/parallel.hpp share/lk-parallel/lk-parallel-config.cmake share/lk-parallel/copyright
                          share/pkgconfig/lk-parallel.pc)
  if(NOT EXISTS ${CURRENT_PACKAGES_DIR}/${expected})
    message(FATAL_ERROR "the port does not install ${expected}")
  endif()
endforeach()
execute_process(COMMAND ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/installed -B ${OUT}/consumer
                        -DWANTED_VERSION=${VERSION} -DWANTED_COMPONENTS=compiled
                        "-DCONSUMER_LIBRARY=lk::parallel;lk::parallel_compiled" # the sources of both must be there
                        -DCMAKE_PREFIX_PATH=${CURRENT_PACKAGES_DIR} COMMAND_ERROR_IS_FATAL ANY)
file(STRINGS ${OUT}/consumer/CMakeCache.txt found REGEX "^lk-parallel_DIR:")
if(NOT found MATCHES "=${CURRENT_PACKAGES_DIR}/share/lk-parallel$")
  message(FATAL_ERROR "a project found another package than the port's: ${found}")
endif()
