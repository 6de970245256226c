// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/initialize.hpp>

#include "parts.hpp"

void start() { lk::parallel::initialize({.processes = 3, .child_threads = 1}); }
