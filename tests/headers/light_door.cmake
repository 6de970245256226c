# lk-parallel | SPDX-License-Identifier: MIT
# cmake -DSETTINGS=settings.cmake -DSOURCE=door.cpp -P light_door.cmake: with LK_PARALLEL_COMPILED the door brings in no
# header of spdlog, fmt, oneTBB or hwloc; without it, it does, or this would not tell. SETTINGS sets COMPILER and FLAGS.

include(${SETTINGS})

# The headers of the packages among those that the source includes; to preprocess it tells. -H and not -M: for clang, to
# ask whether a header is there (__has_include) is to depend on it.
function(find_foreign_headers found)
  execute_process(COMMAND ${COMPILER} ${FLAGS} ${ARGN} -H -E ${SOURCE} OUTPUT_QUIET ERROR_VARIABLE output
                  COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^ \n]*/(spdlog|fmt|tbb|oneapi|hwloc)[/.][^ \n]*" headers "${output}")
  set(${found} "${headers}" PARENT_SCOPE)
endfunction()

find_foreign_headers(headers)
if(headers STREQUAL "")
  message(FATAL_ERROR "The header-only library is said to include nothing of its packages: this test looks wrongly.")
endif()
find_foreign_headers(headers -DLK_PARALLEL_COMPILED)
if(NOT headers STREQUAL "")
  list(JOIN headers "\n  " lines)
  message(FATAL_ERROR "With LK_PARALLEL_COMPILED, <lk/parallel.hpp> includes:\n  ${lines}")
endif()
