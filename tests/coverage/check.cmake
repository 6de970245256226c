# lk-parallel | SPDX-License-Identifier: MIT
# cmake -D program=... -D objects=... -D gcov=... -D source=... -P check.cmake: runs the program and compares what gcov
# counted with the comments in task.cpp.

file(GLOB_RECURSE old "${objects}/*.gcda")
if(old)
  file(REMOVE ${old})
endif()
execute_process(COMMAND "${program}" RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "the program left with ${status}")
endif()

file(GLOB_RECURSE counters "${objects}/*task*.gcda")
execute_process(COMMAND "${gcov}" --stdout ${counters} OUTPUT_VARIABLE report ERROR_VARIABLE trouble
                RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${gcov} failed: ${trouble}")
endif()

# A line of the report: "      100:   10:  if (x == 7) ...", "#####" for a line that never ran.
function(expect count comment)
  if(NOT report MATCHES " ${count}\\*?: +[0-9]+:[^\n]*// ${comment}")
    message(FATAL_ERROR "not counted as \"${comment}\":\n${report}")
  endif()
endfunction()
expect(100 "runs 100 times")
expect(99 "runs 99 times")
expect("#####" "never runs")
