# lk-parallel | SPDX-License-Identifier: MIT
# cmake -DPROGRAM=program -DEXPECTED=text -P run_example.cmake: the program succeeds and prints the expected lines, which
# are separated by `|`, and nothing else.

execute_process(COMMAND "${PROGRAM}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
string(REPLACE "|" "\n" expected "${EXPECTED}|")
if(NOT result STREQUAL "0")
  message(FATAL_ERROR "${PROGRAM} ended with ${result} and said:\n${output}${errors}")
endif()
if(NOT output STREQUAL expected)
  message(FATAL_ERROR "${PROGRAM} printed\n${output}instead of\n${expected}${errors}")
endif()
