// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include <lk/parallel/config/config.hpp>
#include <lk/parallel/config/environment.hpp>

// From what was asked for to what is in force: argument, then environment, then a default made from the CPU count. A
// pure function; the front calls it once.

namespace lk::parallel::config {

/// Throws: config_error naming the option.
inline std::optional<int> checked_option(const char* name, std::optional<int> value, bool minus_one_allowed) {
  if (value && !is_count(*value, minus_one_allowed)) {
    throw_bad_count(std::string("parallel_options::") + name, std::to_string(*value), minus_one_allowed);
  }
  return value;
}

/// The knobs in force. With N = n_cpus the defaults are: processes min(N, 4), threads min(N, 8), backend_threads
/// N / threads and child_threads N / processes, both 1 to 4. Throws: config_error naming a bad option.
inline ParallelConfig resolve(const parallel_options& options, const environment_knobs& environment, int n_cpus) {
  const auto pick = [](std::optional<int> option, std::optional<int> variable, int fallback) {
    return option ? *option : variable.value_or(fallback);
  };
  const int n = std::max(n_cpus, 1);
  const int processes = pick(checked_option("processes", options.processes, false), environment.processes, //
                             std::min(n, 4));
  const int threads = pick(checked_option("threads", options.threads, false), environment.threads, std::min(n, 8));
  return {.processes = processes,
          .threads = threads,
          .backend_threads = pick(checked_option("backend_threads", options.backend_threads, true),
                                  environment.backend_threads, std::clamp(n / threads, 1, 4)),
          .child_threads = pick(checked_option("child_threads", options.child_threads, true), //
                                environment.child_threads, std::clamp(n / processes, 1, 4))};
}

} // namespace lk::parallel::config
