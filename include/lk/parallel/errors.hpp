// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <lk/parallel/base/error.hpp> // IWYU pragma: export

// The errors, for code that handles them and needs nothing else of the library: all derive from lk::parallel::error.
