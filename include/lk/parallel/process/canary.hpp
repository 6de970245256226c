// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <time.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <vector>

#include <lk/parallel/process/crash_handler.hpp>
#include <lk/parallel/report/registry_lock.hpp>

// The canary of a fresh zygote: touches the locks that another thread of the host may have held during the fork. Where
// one was, it hangs, the host hears no hello, and forks again. The steps name the place for the error message.

namespace lk::parallel::process {

/// Steps on the way to hello, written to pool_page::launch_step; the error message names the last one reached.
enum class launch_step : std::uint32_t {
  none,
  signals,
  descriptors,
  loggers,
  heap,
  exceptions,
  stack_traces,
  time_zone,
  console,
  pools,
  done
};

constexpr const char* to_string(launch_step step) {
  switch (step) {
  case launch_step::none:
    return "being forked";
  case launch_step::signals:
    return "setting up signals";
  case launch_step::descriptors:
    return "closing the host's descriptors";
  case launch_step::loggers:
    return "silencing the host's loggers";
  case launch_step::heap:
    return "allocating memory";
  case launch_step::exceptions:
    return "throwing and catching an exception";
  case launch_step::stack_traces:
    return "loading what stack traces need";
  case launch_step::time_zone:
    return "using the C library's time zone lock";
  case launch_step::console:
    return "taking the console lock of the logging library";
  case launch_step::pools:
    return "setting up the thread pools of libraries";
  case launch_step::done:
    return "getting ready";
  }
  return "an unknown step";
}

/// Calls reach(step) before each step. Fork: in the zygote. Blocks: for ever where a lock was copied while held.
template <class Reach> void sing(Reach&& reach) {
  reach(launch_step::heap);
  const auto block = std::make_unique<std::vector<std::unique_ptr<int>>>();
  for (int i = 0; i < 64; ++i) block->push_back(std::make_unique<int>(i));
  reach(launch_step::exceptions);
  try {
    throw std::runtime_error("canary");
  } catch (const std::exception&) {
  }
  reach(launch_step::stack_traces);
  load_stack_traces();
  reach(launch_step::time_zone);
  const time_t now = ::time(nullptr);
  tm broken_down{};
  ::localtime_r(&now, &broken_down);
  reach(launch_step::console);
  report::probe_console_lock();
}

} // namespace lk::parallel::process
