// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/process/exit_status.hpp>

// The sentences in which the loss of a process is told. Cold code.

namespace lk::parallel::process {

inline std::string attempts_text(int attempts) {
  return attempts == 1 ? std::string("1 attempt") : std::to_string(attempts) + " attempts";
}

/// The task `index` was running when worker `worker` ended.
[[gnu::cold]] inline std::exception_ptr task_lost(std::size_t index, int worker, exit_status how, bool broke_protocol,
                                                  int attempts, std::string last_log_lines) {
  std::string sentence =
      "task " + std::to_string(index) + ": its worker process (worker " + std::to_string(worker) + ") ";
  if (broke_protocol)
    sentence += "wrote over the memory it shares with the host and was stopped";
  else
    sentence += how.sentence() + (how.was_killed() ? "" : " inside a task");
  sentence += " (" + attempts_text(attempts) +
              "); run this one argument with execution::sequential under a debugger, or set invoker_options::retries "
              "where another attempt may succeed";
  const auto kind = broke_protocol ? loss_kind::protocol : how.was_killed() ? loss_kind::killed : loss_kind::exited;
  if (!last_log_lines.empty()) sentence += "; the worker's last log lines:\n" + last_log_lines;
  return std::make_exception_ptr(worker_lost(sentence, index, kind, how.code(), attempts, std::move(last_log_lines)));
}

[[noreturn, gnu::cold]] inline void throw_zygote_lost() {
  throw worker_lost("the process that holds the model for the workers has died, and the workers with it; make a new "
                    "invoker (if the kernel ended it to free memory, its log says so: dmesg)",
                    std::nullopt, loss_kind::zygote, 0, 0);
}

[[noreturn, gnu::cold]] inline void throw_init_failed(int worker, const std::string& what_was_thrown) {
  throw worker_lost("worker_init failed in worker " + std::to_string(worker) + ": " + what_was_thrown, std::nullopt,
                    loss_kind::start_up, 0, 0);
}

[[noreturn, gnu::cold]] inline void throw_crash_loop(int deaths, exit_status last) {
  throw resource_error("keeping the worker processes alive", 0,
                       std::to_string(deaths) + " of them ended in a row without having started a task; the last one " +
                           last.sentence() + "; look at worker_init and at memory limits");
}

} // namespace lk::parallel::process
