# lk-parallel | SPDX-License-Identifier: MIT
# cmake -DSETTINGS=settings.cmake -P precompile.cmake: compiles STANDARD_HEADERS to a file beside it, where gcc and clang
# look for one before they include it. SETTINGS sets COMPILER, FLAGS and STANDARD_HEADERS.

include(${SETTINGS})
execute_process(COMMAND ${COMPILER} ${FLAGS} -x c++-header ${STANDARD_HEADERS} -o ${STANDARD_HEADERS}.gch
                COMMAND_ERROR_IS_FATAL ANY)
