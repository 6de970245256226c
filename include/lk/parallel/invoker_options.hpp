// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include <sys/types.h>

#include <lk/parallel/config/placement.hpp>
#include <lk/parallel/progress.hpp>

// What can be asked of an invoker, and what it tells about itself.

namespace lk::parallel {

/// Where an invoker runs its tasks.
enum class execution {
  automatic,  ///< worker processes for several jobs or where an option needs them, else sequential
  sequential, ///< in the consumer's thread, when a result is asked for
  threads,    ///< threads of this process; nothing is encoded
  processes,  ///< forked worker processes that share the model
};

/// What can be asked of an invoker. Every member has a default, so `{.n_jobs = 2, .retries = 1}` is enough.
struct invoker_options {
  /// Workers. Default: the processes knob (LK_NUM_PROCS). 1 with execution::automatic runs sequentially, as in LensKit.
  std::optional<int> n_jobs = {};
  /// The back end.
  execution where = execution::automatic;
  /// States dispatched, in_progress, finished, failed. Moves while the consumer is inside the range.
  std::shared_ptr<Progress> progress = {};
  /// Extra attempts for a task whose worker was lost or timed out. 0: a task never runs twice.
  int retries = 0;
  /// The longest a task may run; then its worker is killed and the task fails with task_timeout, up to a fifth of the
  /// limit later. Worker processes only, and not inside a task, where an invoker runs in place. 0: no limit.
  std::chrono::milliseconds task_timeout{0};
  /// Most tasks between the consumer and the source. 0: chosen. A source that waits for results needs 1.
  std::size_t window = 0;
  /// Units: bytes of encoded results that may wait for the consumer. Processes only; 0: 256 MiB.
  std::size_t window_bytes = 0;
  /// Root of the tasks' random streams (task_context::rng).
  std::uint64_t seed = 0;
  /// Number of the first task of each map; the others count on from there, in task_context::index, in errors, and for
  /// the random streams. A job that goes on after n tasks, or does a part of the whole, gives n.
  std::uint64_t first_task = 0;
  /// Runs once in every fresh worker, with its number, before its first task.
  std::function<void(int worker)> worker_init = {};
  /// Ends the map in progress with `cancelled`. What runs then can see it (task_context::stop_requested); in a worker
  /// process it is ended after 100 ms.
  std::stop_token stop = {};
  /// Which CPUs, of those that the thread making the invoker may use, each worker and its threads get. Default: LK_BIND
  /// (none, spread, compact, numa), else none. A replacement gets the CPUs of the worker it replaces. Threads of this
  /// process are bound while a map runs on them; a sequential invoker binds nothing. Too few CPUs are a config_error.
  std::optional<parallel::placement> placement = {};
};

/// One worker process. Units: bytes; 0 where /proc does not tell (smaps_rollup, Linux 4.14).
struct worker_stats {
  pid_t pid = 0;                       ///< of the process
  std::uint64_t tasks_finished = 0;    ///< failed ones included
  std::size_t private_dirty_bytes = 0; ///< memory that is this worker's alone
  std::size_t proportional_bytes = 0;  ///< shared pages counted in parts (PSS)
};

/// What an invoker tells about itself.
struct invoker_stats {
  execution where = execution::sequential; ///< never automatic
  int workers = 1;                         ///< of this invoker
  std::uint64_t tasks_finished = 0;        ///< in all its maps, failed ones included
  std::uint64_t workers_started = 0;       ///< processes forked so far, replacements included
  std::vector<worker_stats> each = {};     ///< empty for the in-process back ends
};

/// As the first argument of an invoker: it never forks, and argument and result types need no codec.
struct in_process_t {
  explicit in_process_t() = default;
};
/// `invoker{in_process, model, fn}`
inline constexpr in_process_t in_process{};

} // namespace lk::parallel
