// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <exception>

#include <lk/parallel/base/fault_point.hpp>
#include <lk/parallel/process/crash_handler.hpp>
#include <lk/parallel/process/fork.hpp>
#include <lk/parallel/process/hygiene.hpp>
#include <lk/parallel/process/printed_output.hpp>
#include <lk/parallel/process/result_sender.hpp>
#include <lk/parallel/process/worker_loop.hpp>
#include <lk/parallel/process/worker_spec.hpp>
#include <lk/parallel/report/progress_relay.hpp>
#include <lk/parallel/report/worker_loggers.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/failure.hpp>

// The life of a worker process, from the moment the zygote has forked it: gives up what it must not touch, runs
// worker_init, runs tasks, ends by _exit.

namespace lk::parallel::process {

/// Dies when the zygote dies. The zygote may have died before this took effect, hence the second look. (prctl(2):
/// the signal follows the thread that forked, and the zygote has only one.)
inline bool die_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return ::getppid() == parent;
}

inline bool initialise_worker(const pool_spec& spec, int worker, result_sender& sender) {
  try {
    if (spec.in_worker) spec.in_worker(worker);
    sender.send(wire::frame_kind::ready, 0, {});
    return true;
  } catch (...) {
    wire::writer message;
    wire::encode_failure(wire::describe(std::current_exception()), message);
    sender.send(wire::frame_kind::init_failed, 0, message.bytes());
    return false;
  }
}

/// Fork: runs in the worker, as the child_main of live_as_child.
inline int worker_main(const pool_spec& spec, int worker, pid_t zygote, const shm::pool_memory& memory,
                       const shm::event_bell& host_bell) {
  take_name(worker_name(worker)); // first of all: see orphans.hpp
  LK_PARALLEL_FAULT_POINT("worker_begins");
  if (!die_with_parent(zygote)) return exit_done;
  if (spec.at_birth) spec.at_birth(worker);
  const int keep[] = {host_bell.fd()};
  close_conversations(keep);
  if (!spec.core_dumps) refuse_core_dumps();
  memory.keep_only(worker);
  set_signal_mask({});
  collect_printed_output();

  const shm::channel channel = memory.at(worker);
  crash_handler::install(channel.status->crash);
  result_sender sender(channel, memory.page(), host_bell);
  report::relay_loggers(sender, worker);
  report::progress_relay::begin(sender);
  bool healthy = false;
  const auto whole_life = [&] {
    healthy = initialise_worker(spec, worker, sender);
    if (healthy) worker_loop(worker, channel, sender, spec.function_state).run();
  };
  if (spec.around_tasks)
    spec.around_tasks(worker, whole_life);
  else
    whole_life();
  show_printed_output();
  return healthy ? exit_done : exit_init_failed;
}

} // namespace lk::parallel::process
