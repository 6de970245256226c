// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <lk/parallel/backends/open_map.hpp>
#include <lk/parallel/backends/thread_crew.hpp>
#include <lk/parallel/base/affinity.hpp>
#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/config/environment.hpp>
#include <lk/parallel/config/oom_kills.hpp>
#include <lk/parallel/config/place_workers.hpp>
#include <lk/parallel/config/placement.hpp>
#include <lk/parallel/invoker_options.hpp>
#include <lk/parallel/process/fork_advice.hpp>
#include <lk/parallel/process/loss.hpp>
#include <lk/parallel/process/supervisor.hpp>
#include <lk/parallel/report/library_log.hpp>
#include <lk/parallel/runtime.hpp>
#include <lk/parallel/threads/backend_pools.hpp>
#include <lk/parallel/threads/slot_binding.hpp>
#include <lk/parallel/threads/task_scope.hpp>
#include <lk/parallel/threads/thread_budget.hpp>
#include <lk/parallel/wire/failure.hpp>
#include <lk/parallel/wire/frame.hpp>
#include <lk/parallel/worker_pool.hpp>

// How a worker_pool comes about: looks at the knobs and the options, forks the worker processes, sizes thread pools.

namespace lk::parallel::front {

class launcher final : public worker_pool {
 public:
  /// Throws: config_error, resource_error.
  launcher(invoker_options options, bool may_fork, void* function_state) : options_(std::move(options)) {
    const ParallelConfig& config = get_parallel_config();
    n_workers_ = options_.n_jobs.value_or(config.processes);
    child_threads_ = config.child_threads;
    check_options(may_fork);
    where_ = choose(may_fork);
    if (where_ != execution::processes && !is_inside())
      budget_.emplace(child_threads_, runtime::instance().loaded_backends());
    if (where_ != execution::sequential) places_ = config::place_workers_here(wish());
    if (where_ == execution::processes) launch(function_state);
  }

  execution where() const override { return where_; }
  int n_workers() const override { return n_workers_; }
  std::uint64_t seed() const override { return options_.seed; }
  std::uint64_t first_task() const override { return options_.first_task; }

  void require_outside_map() const override {
    if (slot_->open != nullptr && slot_->open->is_busy())
      throw usage_error("shutdown() was called from inside the map that it would end; leave the loop first");
  }

  void close_map() noexcept override {
    if (slot_->open != nullptr) slot_->open->close();
  }

  void require_idle() const override {
    if (::getpid() != owner_)
      throw usage_error("this invoker was made in the parent of this process; make one of your own after a fork");
    if (shut_down_) throw usage_error("this invoker was shut down; make a new one");
    if (slot_->open)
      throw usage_error("a map of this invoker is still in progress: finish its range or let it go out of scope first, "
                        "or make a second invoker");
  }

  backends::stream_options make_stream_options(bool in_order) const override {
    constexpr std::size_t usual_window = 16384;
    constexpr std::size_t usual_window_bytes = std::size_t{256} << 20;
    const auto n = static_cast<std::size_t>(n_workers_);
    std::function<std::shared_ptr<void>()> hold;
    if (budget_ && child_threads_ != -1) hold = [] { return runtime::instance().size_backends_for_tasks(); };
    return {.in_order = in_order,
            .window = options_.window != 0 ? options_.window : std::max(usual_window, 4 * n),
            .window_bytes = options_.window_bytes != 0 ? options_.window_bytes : usual_window_bytes,
            .n_workers = n,
            .first_task = options_.first_task,
            .progress = options_.progress,
            .stop = options_.stop,
            .slot = slot_,
            .hold = std::move(hold)};
  }

  process::pool& processes() override { return *supervisor_; }

  std::unique_ptr<backends::crew> make_crew(backends::crew_work work) override {
    return std::make_unique<backends::thread_crew>(
        backends::crew_spec{n_workers_, child_threads_, options_.worker_init, places_}, std::move(work));
  }

  backends::task_budget* settle_in_place() override {
    if (options_.worker_init && !initialised_in_place_) {
      try {
        options_.worker_init(0);
        initialised_in_place_ = true;
      } catch (...) {
        std::rethrow_exception(process::init_failed(0, wire::describe(std::current_exception())));
      }
    }
    return budget_ ? &*budget_ : nullptr;
  }

  void shut_down() noexcept override {
    shut_down_ = true;
    supervisor_.reset();
  }

  invoker_stats stats() const override {
    invoker_stats all;
    all.where = where_;
    all.workers = n_workers_;
    all.tasks_finished = slot_->tasks_finished;
    if (!supervisor_) return all;
    all.workers_started = supervisor_->workers_started();
    for (const auto& slot : supervisor_->tasks().slots()) {
      if (slot.pid == 0) continue;
      const auto memory = base::read_small_file("/proc/" + std::to_string(slot.pid) + "/smaps_rollup").value_or("");
      all.each.push_back(
          {slot.pid, slot.tasks().n_answered(), bytes_of(memory, "Private_Dirty:"), bytes_of(memory, "Pss:")});
    }
    return all;
  }

 private:
  void check_options(bool may_fork) const {
    const auto refuse = [](const char* option, const std::string& text, const char* expectation) {
      throw config_error("invoker_options::" + std::string(option), text, expectation);
    };
    if (n_workers_ < 1) refuse("n_jobs", std::to_string(n_workers_), "a number of workers, at least 1");
    if (options_.retries < 0 || options_.retries >= wire::frame_flags::most_attempts)
      refuse("retries", std::to_string(options_.retries), "a number of extra attempts, from 0 to 32766");
    constexpr std::uint64_t most_tasks = UINT64_MAX / 2;
    if (options_.first_task > most_tasks)
      refuse("first_task", std::to_string(options_.first_task), "the number of a task, below 2^63");
    if (options_.task_timeout.count() < 0)
      refuse("task_timeout", std::to_string(options_.task_timeout.count()) + " ms", "a time, or 0 for no limit");
    const bool in_process_only =
        !may_fork || options_.where == execution::sequential || options_.where == execution::threads;
    if (options_.task_timeout.count() > 0 && in_process_only)
      refuse("task_timeout", std::to_string(options_.task_timeout.count()) + " ms",
             "only a worker process can be ended; use execution::processes or execution::automatic");
    if (!may_fork && options_.where == execution::processes)
      refuse("where", "processes", "an in_process invoker never forks; leave in_process out");
  }

  /// Whether this is already a part of parallel work: a task or chunk, or any thread of a worker, also one that a task
  /// has started. What is in a worker takes no lock of the runtime, which may have been copied while held.
  static bool is_inside() { return threads::inside_task() || runtime::instance().is_worker(); }

  execution choose(bool may_fork) {
    if (is_inside()) { // the CPUs are given away already
      n_workers_ = 1;
      return execution::sequential;
    }
    if (options_.where != execution::automatic) return options_.where;
    if (!may_fork) return n_workers_ > 1 ? execution::threads : execution::sequential;
    const bool needs_processes =
        n_workers_ > 1 || options_.task_timeout.count() > 0 || options_.retries > 0 || options_.worker_init != nullptr;
    return needs_processes ? execution::processes : execution::sequential;
  }

  config::placement_request wish() const {
    const bool by_option = options_.placement.has_value();
    return {.mode = by_option ? *options_.placement : runtime::instance().default_placement(),
            .n_workers = n_workers_,
            .threads_each = child_threads_,
            .asked_by = by_option ? "invoker_options::placement" : "LK_BIND"};
  }

  /// The one fork with a threaded parent; one at a time in the process.
  void launch(void* function_state) {
    try {
      const auto advice = fork_workers(function_state);
      if (advice) report::inform(*advice);
    } catch (const std::system_error& no_thread) { // of std::thread; forking itself throws resource_error
      throw resource_error("pthread_create", no_thread.code().value(), base::remedy_for_processes);
    } catch (const std::bad_alloc&) { // of oneTBB, too, which is asked to let go of its threads
      throw resource_error("allocating memory for the workers", ENOMEM, base::remedy_for_memory);
    }
  }

  /// Gives what is to be said about it, once in the process.
  std::optional<std::string> fork_workers(void* function_state) {
    runtime& ours = runtime::instance();
    const std::lock_guard one_launch(ours.launch_lock());
    auto gate = ours.close_for_fork();
    if (!gate.quiesced() && child_threads_ > 1 && ours.is_first_warning_of_tbb())
      report::warn("the workers of this invoker will run oneTBB algorithms on one thread each instead of " +
                   std::to_string(child_threads_) + ": " + gate.reason());
    process::pool_spec spec;
    spec.n_workers = n_workers_;
    spec.retries = options_.retries;
    spec.task_timeout = options_.task_timeout;
    spec.core_dumps = config::workers_may_dump_core();
    spec.count_oom_kills = [] { return config::count_oom_kills(""); };
    spec.function_state = function_state;
    spec.in_zygote = [quiesced = gate.quiesced()] { runtime::instance().become_worker(quiesced); };
    const threads::backend_pools backends = ours.loaded_backends(); // found here, not by each worker
    spec.in_worker = with_late_backends(backends);
    if (!places_.empty()) spec.at_birth = [this](int worker) { config::take_place(place_of(worker)); };
    spec.around_tasks = [this, n = child_threads_, quiesced = gate.quiesced(),
                         backends](int worker, const std::function<void()>& tasks) {
      // In each worker, not in the zygote, which must not have BLAS threads.
      threads::set_backend_threads_after_fork(backends, n);
      threads::thread_budget(n, quiesced, backends, cpus_of_helpers(worker)).run(tasks);
    };
    supervisor_ = std::make_unique<process::supervisor>(std::move(spec));
    auto advice = process::advice_on_own_fork(supervisor_->fork_time());
    return advice && ours.is_first_advice_on_forks() ? advice : std::nullopt;
  }

  /// worker_init, and the sizing of the libraries that it loads.
  std::function<void(int)> with_late_backends(const threads::backend_pools& backends) const {
    if (!options_.worker_init) return {};
    return [init = options_.worker_init, n = child_threads_, backends](int worker) {
      init(worker);
      threads::backend_pools(backends).set_new(n);
    };
  }

  const config::worker_place& place_of(int worker) const { return places_[static_cast<std::size_t>(worker)]; }

  /// In a worker. Says so where the kernel did not let the worker take its place.
  threads::slot_cpus cpus_of_helpers(int worker) const {
    if (places_.empty()) return {};
    const config::worker_place& place = place_of(worker);
    if (base::affinity_of(0) != place.cpus)
      report::warn("worker " + std::to_string(worker) +
                   " could not be bound to its CPUs, which its cpuset no longer has; "
                   "it runs where the kernel lets it");
    return {place.threads, place.cpus};
  }

  /// Units: the file's kB lines in bytes.
  static std::size_t bytes_of(const std::string& smaps, const char* name) {
    const auto at = smaps.find(name);
    if (at == std::string::npos) return 0;
    return std::strtoull(smaps.c_str() + at + std::char_traits<char>::length(name), nullptr, 10) * 1024;
  }

  const pid_t owner_ = ::getpid();
  invoker_options options_;
  int n_workers_ = 1;
  int child_threads_ = 1;
  execution where_ = execution::sequential;
  std::vector<config::worker_place> places_;
  std::optional<backends::own_budget> budget_;
  std::unique_ptr<process::supervisor> supervisor_;
  std::shared_ptr<backends::map_slot> slot_ = std::make_shared<backends::map_slot>();
  bool shut_down_ = false;
  bool initialised_in_place_ = false;
};

LK_PARALLEL_DEFINITION std::unique_ptr<worker_pool> make_worker_pool(invoker_options options, bool may_fork,
                                                                     void* function_state) {
  return std::make_unique<launcher>(std::move(options), may_fork, function_state);
}

} // namespace lk::parallel::front
