# lk-parallel | SPDX-License-Identifier: MIT
# cmake -DCASE=file.cpp -DSETTINGS=settings.cmake -P driver.cmake: the case must be refused with each sentence that a line
# `// expect: sentence` promises, and its twin, compiled with -DLK_CORRECTED, must be accepted. SETTINGS sets COMPILER,
# FLAGS and STANDARD_HEADERS.

include(${SETTINGS})

macro(compile)
  execute_process(COMMAND ${COMPILER} ${FLAGS} ${ARGN} -include ${STANDARD_HEADERS} -fsyntax-only ${CASE}
                  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
endmacro()

file(STRINGS ${CASE} expectations REGEX "^// expect: ")
if(NOT expectations)
  message(FATAL_ERROR "${CASE} has no line `// expect: sentence`")
endif()

compile()
if(result EQUAL 0)
  message(FATAL_ERROR "${CASE} compiles, and must not")
endif()
foreach(expectation IN LISTS expectations)
  string(REPLACE "// expect: " "" sentence "${expectation}")
  string(FIND "${output}" "${sentence}" found)
  if(found EQUAL -1)
    message(FATAL_ERROR "${CASE} is refused without the sentence\n  ${sentence}\nThe compiler said:\n${output}")
  endif()
endforeach()

compile(-DLK_CORRECTED)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "the corrected twin of ${CASE} does not compile:\n${output}")
endif()
