# lk-parallel | SPDX-License-Identifier: MIT
# CPack runs this when the files of the packages are laid out and not yet packed. It adds what Debian asks of a package
# (copyright, changelogs, manual pages, stripped programs) and gives every file one date, SOURCE_DATE_EPOCH if it is set.

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(find_tool name package)
  find_program(${name} ${name})
  if(NOT ${name})
    message(FATAL_ERROR "packing needs ${name} (Debian, Ubuntu: ${package}); cmake/setup.sh deb installs it")
  endif()
endfunction()
find_tool(gzip gzip)
find_tool(help2man help2man)
find_tool(strip binutils)

string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
string(TIMESTAMP touch_date "%Y-%m-%dT%H:%M:%SZ" UTC)

# Debian's copyright file is the licence with a space before each line, and a dot where a line is empty.
file(READ "${CPACK_LK_PARALLEL_SOURCE_DIR}/LICENSE" license)
string(REGEX MATCH "Copyright \\(c\\) ([^\n]*)\n\n(.*)" matched "${license}")
set(holders "${CMAKE_MATCH_1}")
string(REGEX REPLACE "\n+$" "" license "${CMAKE_MATCH_2}")
string(REPLACE "\n\n" "\n.\n" license "${license}")
string(REPLACE "\n" "\n " license " ${license}")

# The one line of a manual page's NAME is what the program says of itself, up to a colon or the end of the sentence.
# help2man hands the program's name to a shell, so it is called where no spaces can come in.
function(manual_page program page)
  get_filename_component(folder ${program} DIRECTORY)
  get_filename_component(name ${program} NAME)
  execute_process(COMMAND ${program} --help OUTPUT_VARIABLE help COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCH "^([^\n.:;]|[.:][^ \n])+" summary "${help}")
  run(${help2man} --no-info --section=1 --name=${summary} --version-string=${CPACK_PACKAGE_VERSION}
      --source=lk-parallel --manual=lk-parallel --output=${page} ./${name} WORKING_DIRECTORY ${folder})
endfunction()

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(package ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  set(tree ${CPACK_TEMPORARY_DIRECTORY}/${component})
  set(doc ${tree}/usr/share/doc/${package})

  configure_file(${CMAKE_CURRENT_LIST_DIR}/copyright.in ${doc}/copyright @ONLY)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/changelog.in ${doc}/changelog.Debian @ONLY)
  configure_file(${CPACK_LK_PARALLEL_SOURCE_DIR}/docs/changelog.md ${doc}/changelog COPYONLY)

  file(GLOB programs ${tree}/usr/bin/*)
  foreach(program IN LISTS programs)
    get_filename_component(name ${program} NAME)
    file(MAKE_DIRECTORY ${tree}/usr/share/man/man1)
    manual_page(${program} ${tree}/usr/share/man/man1/${name}.1)
    run(${strip} --strip-unneeded --remove-section=.comment --remove-section=.note ${program})
  endforeach()

  file(GLOB texts ${doc}/changelog* ${tree}/usr/share/man/man1/*)
  run(${gzip} -9n ${texts})
  run(chmod -R u=rwX,go=rX ${tree}) # the umask has no say
  file(GLOB_RECURSE all LIST_DIRECTORIES true ${tree}/*)
  run(touch --no-dereference --date=${touch_date} ${all})
endforeach()
