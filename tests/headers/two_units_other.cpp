// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel.hpp>

const lk::parallel::ParallelConfig* config_of_the_other_unit() { return &lk::parallel::get_parallel_config(); }
