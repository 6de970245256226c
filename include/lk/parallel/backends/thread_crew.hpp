// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <lk/parallel/backends/in_process.hpp>
#include <lk/parallel/base/affinity.hpp>
#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/config/placement.hpp>
#include <lk/parallel/process/loss.hpp>
#include <lk/parallel/threads/backend_pools.hpp>
#include <lk/parallel/threads/slot_binding.hpp>
#include <lk/parallel/threads/thread_budget.hpp>
#include <lk/parallel/wire/failure.hpp>

// The threads of the threads back end and the budgets of the back ends that stay in this process, by what the threads
// room has.

namespace lk::parallel::backends {

/// A thread_budget as the typed code sees it.
class own_budget final : public task_budget {
 public:
  own_budget(int n_threads, threads::backend_pools pools) : budget_(n_threads, true, std::move(pools)) {}
  void run(const std::function<void()>& fn) override { budget_.run(fn); }
  void rest() override { budget_.rest(); }

 private:
  threads::thread_budget budget_;
};

struct crew_spec {
  int n_threads = 1;
  int child_threads = 1;
  std::function<void(int)> worker_init;
  std::vector<config::worker_place> places; ///< one for each thread, or none
};

/// Threads that end with the map leave oneTBB free to be quiesced when somebody forks.
class thread_crew final : public crew {
 public:
  thread_crew(crew_spec spec, crew_work work) : spec_(std::move(spec)), work_(std::move(work)) {}

  void start() override {
    try {
      for (int worker = 0; worker < spec_.n_threads; ++worker) threads_.emplace_back([this, worker] { live(worker); });
    } catch (const std::system_error& no_thread) {
      throw resource_error("pthread_create", no_thread.code().value(), base::remedy_for_processes);
    }
  }

 private:
  void live(int worker) {
    try {
      threads::thread_budget budget(spec_.child_threads, true, backends_, settle(worker));
      budget.run([&] {
        if (spec_.worker_init) spec_.worker_init(worker);
        work_.live(worker);
      });
    } catch (...) {
      work_.give_up(process::init_failed(worker, wire::describe(std::current_exception())));
    }
  }

  /// Binds this thread, which ends with the map; hands back what its oneTBB helpers are to be bound to. Those return to
  /// the mask that the consumer had: they live on.
  threads::slot_cpus settle(int worker) const {
    if (spec_.places.empty()) return {};
    const config::worker_place& place = spec_.places[static_cast<std::size_t>(worker)];
    base::cpu_list everywhere = base::affinity_of(0); // this thread has it from the one that made it
    config::take_place(place);
    return {place.threads, std::move(everywhere)};
  }

  crew_spec spec_;
  crew_work work_;
  const threads::backend_pools backends_ = threads::backend_pools::find(); // on the consumer's thread, once for all
  std::vector<std::jthread> threads_;                                      // last: joined before the rest is destroyed
};

} // namespace lk::parallel::backends
