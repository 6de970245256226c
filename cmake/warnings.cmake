# lk-parallel | SPDX-License-Identifier: MIT
# The warnings under which everything that is built here stays silent; consumers never see them.

add_library(lk_parallel_warnings INTERFACE)
target_compile_options(lk_parallel_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                                      $<$<BOOL:${LK_PARALLEL_WERROR}>:-Werror>)
