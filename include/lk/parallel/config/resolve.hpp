// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

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

/// Where each knob of resolve(options, environment, n_cpus) came from, in the order of ParallelConfig's members.
/// Throws: config_error, as resolve does.
inline std::vector<traced_knob> trace_knobs(const parallel_options& options, const environment_knobs& environment,
                                            int n_cpus) {
  const ParallelConfig config = resolve(options, environment, n_cpus);
  const int n = std::max(n_cpus, 1);
  const std::string cpus = std::to_string(n) + (n == 1 ? " CPU" : " CPUs");
  const auto trace = [](const char* name, int value, const auto& option, const auto& variable,
                        const char* variable_name, const std::string& rule) -> traced_knob {
    if (option) return {name, value, knob_origin::argument, std::string("parallel_options::") + name};
    if (variable) return {name, value, knob_origin::variable, variable_name};
    return {name, value, knob_origin::default_value, rule};
  };
  const auto share = [&](int among, const char* one, const char* many) {
    return cpus + " / " + std::to_string(among) + ' ' + (among == 1 ? one : many) + ", from 1 to 4";
  };
  return {
      trace("processes", config.processes, options.processes, environment.processes, "LK_NUM_PROCS",
            "min(" + cpus + ", 4)"),
      trace("threads", config.threads, options.threads, environment.threads, "LK_NUM_THREADS", "min(" + cpus + ", 8)"),
      trace("backend_threads", config.backend_threads, options.backend_threads, environment.backend_threads,
            "LK_NUM_BACKEND_THREADS", share(config.threads, "thread", "threads")),
      trace("child_threads", config.child_threads, options.child_threads, environment.child_threads,
            "LK_NUM_CHILD_THREADS", share(config.processes, "process", "processes"))};
}

/// The knobs of a worker, which its host has decided on.
inline std::vector<traced_knob> trace_worker_knobs(const ParallelConfig& config) {
  const auto trace = [](const char* name, int value) -> traced_knob {
    return {name, value, knob_origin::host, "the host"};
  };
  return {trace("processes", config.processes), trace("threads", config.threads),
          trace("backend_threads", config.backend_threads), trace("child_threads", config.child_threads)};
}

} // namespace lk::parallel::config
