// lk-parallel | SPDX-License-Identifier: MIT
#include <support/precompiled.hpp>

// The object that the precompiled header belongs to; see tests/CMakeLists.txt.
