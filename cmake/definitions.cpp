// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/definitions.hpp>
