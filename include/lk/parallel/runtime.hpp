// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lk/parallel/base/affinity.hpp>
#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/config/config.hpp>
#include <lk/parallel/config/environment.hpp>
#include <lk/parallel/config/place_workers.hpp>
#include <lk/parallel/config/placement.hpp>
#include <lk/parallel/config/resolve.hpp>
#include <lk/parallel/config/topology.hpp>
#include <lk/parallel/diagnose.hpp>
#include <lk/parallel/diagnosis.hpp>
#include <lk/parallel/diagnosis_text.hpp>
#include <lk/parallel/examination.hpp>
#include <lk/parallel/initialize.hpp>
#include <lk/parallel/report/library_log.hpp>
#include <lk/parallel/threads/arena.hpp>
#include <lk/parallel/threads/backend_pools.hpp>
#include <lk/parallel/threads/fork_gate.hpp>
#include <lk/parallel/threads/slot_binding.hpp>
#include <lk/parallel/threads/thread_budget.hpp>

// What the library keeps for the whole process. The rest of the front reaches the training arena and the way to a safe
// fork through it; no room knows that there is such a thing.

namespace lk::parallel {

namespace front {

/// What the library keeps for the whole process. Threads: everything may be called from any thread.
/// Lifetime: never destroyed, so that destructors of the user's statics may still train.
class runtime {
 public:
  static runtime& instance() {
    static runtime& only = *new runtime;
    return only;
  }

  /// False where the knobs were resolved before; then nothing changes. Throws: config_error; then nothing changes
  /// either.
  bool initialize(const parallel_options& options) {
    if (in_force_.load(std::memory_order_acquire) != nullptr) return false; // pairs with the release in set_up
    const std::optional<news> first_time = set_up(options);
    if (!first_time) return false;
    // Under no lock: a sink of the user's may ask for the knobs.
    if (!first_time->warning.empty()) report::warn(first_time->warning);
    if (first_time->debug) log_essentials();
    return true;
  }

  const ParallelConfig& config() {
    const ParallelConfig* config = in_force_.load(std::memory_order_acquire); // pairs with the release above
    if (config != nullptr) return *config;
    initialize({});
    return *in_force_.load(std::memory_order_acquire);
  }

  /// What LK_BIND says, read together with the knobs.
  placement default_placement() {
    (void)config();
    return default_placement_;
  }

  threads::arena& training() {
    (void)config();
    return *training_;
  }

  /// Quiesces oneTBB where it can be and shuts the training arena; fork while the object lives.
  /// Blocks: a millisecond as a rule, ten seconds at most (threads/fork_gate.hpp).
  threads::fork_gate close_for_fork() { return threads::fork_gate(training()); }

  /// Makes this the runtime of a worker, in the zygote or another fresh child: knobs of ParallelConfig::for_worker,
  /// later calls of initialize() silent. `tbb_quiesced` is what the gate said. Fork: called while the child has one
  /// thread; takes no lock of ours, since another thread of the host may have held it at the fork. Blocks: for ever
  /// where a lock of the dynamic linker, or of a oneTBB that was not quiesced, was copied while held; that child is to
  /// be given up, as for the other steps of the canary.
  void become_worker(bool tbb_quiesced) {
    const ParallelConfig* host = in_force_.load(std::memory_order_relaxed); // relaxed: there is one thread only
    worker_ = (host != nullptr ? *host : ParallelConfig{}).for_worker();
    is_worker_ = true;
    in_force_.store(&worker_, std::memory_order_relaxed);
    (void)threads::current_loader_epoch(); // its lock, too, may have been copied while held
    if (!tbb_quiesced) threads::probe_tbb();
  }

  bool is_worker() const { return is_worker_; }

  /// Where the knobs in force came from; empty before that. In a worker: from the host.
  std::vector<traced_knob> knobs() const {
    if (is_worker_) return config::trace_worker_knobs(worker_);
    return in_force_.load(std::memory_order_acquire) != nullptr ? knobs_ : std::vector<traced_knob>{}; // pairs: set_up
  }

  /// Held by whoever makes worker processes: one fork at a time, with one gate closed.
  std::mutex& launch_lock() { return launch_mutex_; }
  /// True once in the process. Threads: under launch_lock().
  bool is_first_warning_of_tbb() { return !std::exchange(warned_of_tbb_, true); }
  bool is_first_advice_on_forks() { return !std::exchange(advised_on_forks_, true); } ///< the same

  /// While anybody holds what this returns, a map runs in this process, and BLAS and OpenMP have the size that they
  /// would have in a worker; afterwards they are sized for training again, or as they were before where the knob for
  /// training leaves them alone. Threads: safe.
  std::shared_ptr<void> size_backends_for_tasks() {
    const std::lock_guard lock(mutex_);
    auto held = backends_for_tasks_.lock();
    if (held) return held;
    backends_.refresh();
    if (resolved_->backend_threads == -1) sizes_before_tasks_ = backends_.get_libraries();
    size_backends(resolved_->child_threads); // thread_budget does OpenMP
    held = std::shared_ptr<void>(this, [](void* ours) { static_cast<runtime*>(ours)->size_backends_for_training(); });
    backends_for_tasks_ = held;
    return held;
  }

  /// What is loaded now. Threads: safe.
  threads::backend_pools loaded_backends() {
    const std::lock_guard lock(mutex_);
    backends_.refresh();
    return backends_;
  }

 private:
  runtime() = default;

  struct news {
    bool debug = false;
    std::string warning; ///< empty: none
  };

  /// What is to be logged; nothing where the knobs were resolved before.
  std::optional<news> set_up(const parallel_options& options) {
    const std::lock_guard lock(mutex_);
    if (resolved_) return std::nullopt;
    const config::environment_knobs environment = config::read_environment();
    const int n_cpus = config::effective_cpu_count_now();
    const ParallelConfig config = config::resolve(options, environment, n_cpus);
    knobs_ = config::trace_knobs(options, environment, n_cpus);
    const placement bind = config::read_environment_placement("LK_BIND").value_or(placement::none);
    news to_tell{.debug = environment.debug, .warning = {}};
    threads::slot_cpus cpus = place_training(bind, config, to_tell.warning);
    size_backends(config.backend_threads);
    if (config.backend_threads != -1) backends_.set_inter_op(config.threads); // as LensKit does it
    backends_.set_for_this_thread(config.backend_threads);
    training_.emplace(config.threads, config.backend_threads, backends_, std::move(cpus));
    default_placement_ = bind;
    resolved_ = config;
    in_force_.store(&*resolved_, std::memory_order_release); // the readers' acquire sees the config and the arena
    return to_tell;
  }

  /// LK_DEBUG. A program that cannot be diagnosed can run all the same.
  void log_essentials() noexcept {
    try {
      const diagnosis all = examine(knobs_, *resolved_, default_placement_, false);
      for (const std::string& line : essentials(all)) report::inform(line);
      for (const finding& each : all.findings) {
        const std::string sentence = printable(each.what) + ". " + each.advice + " [" + each.topic + ']';
        if (each.level == severity::warning) report::warn(sentence);
        if (each.level == severity::note) report::inform(sentence);
      }
    } catch (const std::exception& problem) {
      report::report_error(std::string("LK_DEBUG: the diagnosis failed: ") + problem.what());
    }
  }

  /// Each training thread is placed like a worker whose backends have backend_threads threads. Where there are too few
  /// CPUs for that the threads are left unbound, since the knobs come first, and the warning says so.
  static threads::slot_cpus place_training(placement bind, const ParallelConfig& config, std::string& warning) {
    try {
      const auto places = config::place_workers_here(
          {.mode = bind, .n_workers = config.threads, .threads_each = config.backend_threads, .asked_by = "LK_BIND"});
      threads::slot_cpus cpus{.elsewhere = base::affinity_of(0)};
      for (const config::worker_place& place : places) cpus.of_slot.push_back(place.cpus);
      return cpus;
    } catch (const error& too_few) {
      warning = "the training threads are left unbound (" + std::to_string(config.threads) + " of them with " +
                std::to_string(config.backend_threads) + " backend threads each): " + too_few.what();
      return {};
    }
  }

  void size_backends_for_training() {
    const std::lock_guard lock(mutex_);
    if (!backends_for_tasks_.expired()) return;
    if (resolved_->backend_threads == -1)
      backends_.restore_libraries(sizes_before_tasks_);
    else
      size_backends(resolved_->backend_threads);
  }

  // Called under mutex_: sizes the process's pools, those that sizing makes their libraries load included.
  void size_backends(int n) {
    backends_.refresh();
    do backends_.set_libraries(n);
    while (backends_.refresh());
  }

  std::mutex launch_mutex_;
  bool warned_of_tbb_ = false;                    // guarded by launch_mutex_
  bool advised_on_forks_ = false;                 // the same
  std::weak_ptr<void> backends_for_tasks_;        // guarded by mutex_
  threads::backend_pools backends_;               // guarded by mutex_
  std::vector<int> sizes_before_tasks_;           // guarded by mutex_
  std::mutex mutex_;                              // guards the making of the four below
  std::optional<ParallelConfig> resolved_;        // set once, before in_force_
  std::vector<traced_knob> knobs_;                // set once, before in_force_
  std::optional<threads::arena> training_;        // set once, before in_force_
  placement default_placement_ = placement::none; // set once, before in_force_
  std::atomic<const ParallelConfig*> in_force_{nullptr};
  ParallelConfig worker_;  // set once, in a worker
  bool is_worker_ = false; // set once, in a worker
};

} // namespace front

LK_PARALLEL_DEFINITION void initialize(const parallel_options& options) {
  front::runtime& ours = front::runtime::instance();
  if (ours.initialize(options) || ours.is_worker()) return;
  report::warn("parallel support was initialised before; this call of initialize() changes nothing");
}

LK_PARALLEL_DEFINITION void ensure_parallel_init() { (void)front::runtime::instance().config(); }

LK_PARALLEL_DEFINITION const ParallelConfig& get_parallel_config() { return front::runtime::instance().config(); }

LK_PARALLEL_DEFINITION int effective_cpu_count() { return config::effective_cpu_count_now(); }

LK_PARALLEL_DEFINITION diagnosis diagnose() {
  front::runtime& ours = front::runtime::instance();
  const ParallelConfig& config = ours.config();
  return front::examine(ours.knobs(), config, ours.default_placement(), ours.is_worker());
}

} // namespace lk::parallel
