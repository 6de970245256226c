// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/process/exit_status.hpp>
#include <lk/parallel/wire/failure.hpp>

// The sentences in which the loss of a process is told. Cold code.

namespace lk::parallel::process {

/// How a worker process ended, as the zygote tells it.
struct worker_end {
  exit_status how;
  bool out_of_memory = false;
  std::size_t peak_rss_bytes = 0; ///< 0: not known
  std::uint64_t overdue = 0;      ///< ticket + 1 of the task that outran its limit, 0: none
};

inline std::string attempts_text(int attempts) {
  return attempts == 1 ? std::string("1 attempt") : std::to_string(attempts) + " attempts";
}

inline std::string mebibytes_text(std::size_t bytes) { return std::to_string((bytes + (1 << 19)) >> 20) + " MiB"; }

/// What to do about a worker that ended like this.
inline std::string remedy_for(const worker_end& end) {
  const std::string peak = end.peak_rss_bytes == 0
                               ? ""
                               : " (it held at most " + mebibytes_text(end.peak_rss_bytes) + ", the model included)";
  if (end.out_of_memory)
    return "the kernel has killed processes here because memory ran out, this one in all likelihood" + peak +
           ": use fewer workers (n_jobs, LK_NUM_PROCS), make smaller results, or raise the memory limit";
  const std::string usual = "run this one argument with execution::sequential under a debugger, or set "
                            "invoker_options::retries where another attempt may succeed";
  if (end.how == exit_status::killed(SIGKILL))
    return "if nobody ended it on purpose, look for memory that ran out (dmesg)" + peak + "; else " + usual;
  return usual;
}

inline constexpr const char* remedy_for_stray_writes = "look for a stray write in the function or the model, for "
                                                       "example with -fsanitize=address and execution::sequential";

/// The task `index` was running when worker `worker` ended.
[[gnu::cold]] inline std::exception_ptr task_lost(std::size_t index, int worker, const worker_end& end,
                                                  bool broke_protocol, int attempts, std::string last_log_lines) {
  std::string sentence =
      "task " + std::to_string(index) + ": its worker process (worker " + std::to_string(worker) + ") ";
  if (broke_protocol)
    sentence += "wrote over the memory it shares with the host and was stopped";
  else
    sentence += end.how.sentence() + (end.how.was_killed() ? "" : " inside a task");
  sentence += " (" + attempts_text(attempts) + "); " + (broke_protocol ? remedy_for_stray_writes : remedy_for(end));
  if (!last_log_lines.empty()) sentence += "; the worker's last log lines:\n" + last_log_lines;
  loss_facts facts{.task = index,
                   .kind = broke_protocol         ? loss_kind::protocol
                           : end.how.was_killed() ? loss_kind::killed
                                                  : loss_kind::exited,
                   .code = end.how.code(),
                   .attempts = attempts,
                   .out_of_memory = end.out_of_memory && !broke_protocol,
                   .peak_rss_bytes = end.peak_rss_bytes,
                   .last_log_lines = std::move(last_log_lines)};
  return std::make_exception_ptr(worker_lost(sentence, std::move(facts)));
}

/// `how`: where it is known.
[[noreturn, gnu::cold]] inline void throw_zygote_lost(std::optional<exit_status> how) {
  throw worker_lost("the process that holds the model for the workers has died, and the workers with it" +
                        (how ? ": it " + how->sentence() : std::string()) +
                        "; make a new invoker (if the kernel ended it to free memory, its log says so: dmesg)",
                    {.kind = loss_kind::zygote});
}

[[gnu::cold]] inline std::exception_ptr init_failed(int worker, const wire::failure& thrown) {
  return std::make_exception_ptr(worker_lost("worker_init failed in worker " + std::to_string(worker) + ": " +
                                                 thrown.type_name + ": " + thrown.message,
                                             {.kind = loss_kind::start_up}));
}

[[noreturn, gnu::cold]] inline void throw_crash_loop(int deaths, const worker_end& last) {
  throw resource_error("keeping the worker processes alive", 0,
                       std::to_string(deaths) + " of them ended in a row without having started a task; the last one " +
                           last.how.sentence() + "; look at worker_init and at memory limits" +
                           (last.out_of_memory ? ": the kernel has killed processes here because memory ran out" : ""));
}

} // namespace lk::parallel::process
