// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "faults/fault.hpp"

// Between the victim's main program and the frame of the faults (fault.cpp).

namespace lk::parallel::faults {

struct run_settings {
  std::string fault;
  std::optional<std::uint64_t> seed = {};
  int signs_fd = -1; ///< of the driver's table (signs_of_life.hpp); -1: there is none
};

/// Sets the fault points up. Closes the descriptor.
void prepare(const run_settings& settings);

/// Ends the victim with status 1 where the fault throws.
void run(const fault& chosen);

} // namespace lk::parallel::faults
