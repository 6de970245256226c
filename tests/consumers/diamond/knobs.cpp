// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/initialize.hpp>

#include "parts.hpp"

int processes_known() { return lk::parallel::get_parallel_config().processes; }
