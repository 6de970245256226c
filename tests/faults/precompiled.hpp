// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <lk/parallel.hpp>

// What every file of the victim shares, parsed once: unlike in the other tests the library, too, since the fault points
// make it another one.
