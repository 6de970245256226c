# lk-parallel | SPDX-License-Identifier: MIT
# cmake -DPAGE=page.md -DEXAMPLE=program.cpp -P snippets.cmake: the C++ blocks of the page are the regions of the program
# that stand between two lines `//! [name]`, each region once, without the indentation of those lines. Both may be several
# files, separated by `|`.

# Hands back the texts of the files one after the other.
function(read_files names result)
  string(REPLACE "|" ";" names "${names}")
  set(texts "")
  foreach(name IN LISTS names)
    file(READ "${name}" text)
    string(APPEND texts "${text}")
  endforeach()
  set(${result} "${texts}" PARENT_SCOPE)
endfunction()
read_files("${PAGE}" page)
read_files("${EXAMPLE}" rest)

# Takes each region of the program out of the page.
set(n_regions 0)
while(rest MATCHES "\n( *)//! \\[([^]\n]*)\\]\n")
  set(indentation "${CMAKE_MATCH_1}")
  set(name "${CMAKE_MATCH_2}")
  set(mark "${CMAKE_MATCH_0}")
  string(FIND "${rest}" "${mark}" at)
  string(LENGTH "${mark}" length)
  math(EXPR at "${at} + ${length}")
  string(SUBSTRING "${rest}" ${at} -1 rest)
  string(FIND "${rest}" "${mark}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${EXAMPLE}: the region [${name}] has no end")
  endif()
  string(SUBSTRING "${rest}" 0 ${at} region)
  math(EXPR at "${at} + ${length} - 1")
  string(SUBSTRING "${rest}" ${at} -1 rest)

  string(REPLACE "\n${indentation}" "\n" region "\n${region}")
  set(block "\n```cpp${region}\n```\n")
  string(FIND "${page}" "${block}" first)
  string(FIND "${page}" "${block}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(FATAL_ERROR "${PAGE} does not show the region [${name}] of ${EXAMPLE} once, as it is:\n${region}")
  endif()
  string(REPLACE "${block}" "\n" page "${page}")
  math(EXPR n_regions "${n_regions} + 1")
endwhile()
if(n_regions EQUAL 0)
  message(FATAL_ERROR "${EXAMPLE} has no lines `//! [name]`")
endif()

# What is left was typed by hand.
if(page MATCHES "\n```cpp\n[^\n]*")
  message(FATAL_ERROR "${PAGE} has a C++ block that is no region of ${EXAMPLE}; it begins ${CMAKE_MATCH_0}")
endif()
