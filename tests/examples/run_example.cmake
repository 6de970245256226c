# lk-parallel | SPDX-License-Identifier: MIT
# cmake -DPROGRAM=program -DEXPECTED=text -P run_example.cmake: the program succeeds and prints the expected lines, which
# are separated by `|`, and nothing else. With -DMATCHES instead, these are regular expressions: each matches one line
# that no other matches, in whatever order the lines come.

execute_process(COMMAND ${CMAKE_COMMAND} -E env LK_PROGRESS=none "${PROGRAM}" RESULT_VARIABLE result
                OUTPUT_VARIABLE output ERROR_VARIABLE errors)
if(NOT result STREQUAL "0")
  message(FATAL_ERROR "${PROGRAM} ended with ${result} and said:\n${output}${errors}")
endif()

if(DEFINED EXPECTED)
  string(REPLACE "|" "\n" expected "${EXPECTED}|")
  if(NOT output STREQUAL expected)
    message(FATAL_ERROR "${PROGRAM} printed\n${output}instead of\n${expected}${errors}")
  endif()
  return()
endif()

set(rest "\n${output}")
string(REPLACE "|" ";" patterns "${MATCHES}")
foreach(pattern IN LISTS patterns)
  if(NOT rest MATCHES "\n(${pattern})\n")
    message(FATAL_ERROR "${PROGRAM} printed no line (of its own) that matches\n${pattern}\nbut\n${output}${errors}")
  endif()
  string(REPLACE "\n${CMAKE_MATCH_1}\n" "\n" rest "${rest}")
endforeach()
if(NOT rest STREQUAL "\n")
  message(FATAL_ERROR "${PROGRAM} also printed${rest}${errors}")
endif()
