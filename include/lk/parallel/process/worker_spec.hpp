// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

#include <lk/parallel/process/running_task.hpp>

// What the layers above tell the process room about a pool, and the host its workers about a map.

namespace lk::parallel::process {

/// Payload of a begin_map frame.
struct map_header {
  task_entry entry;
  std::uint64_t first_ticket; ///< ticket of the task with index 0, modulo 2^64
  std::uint64_t seed;
  std::uint64_t argument_bytes; ///< of each task in a task_run
  std::uint64_t result_bytes;   ///< of each result, where all are plain; else 0
};

struct pool_spec {
  int n_workers = 1;
  std::size_t task_ring_bytes = std::size_t{256} << 10;
  std::size_t result_ring_bytes = std::size_t{1} << 20;
  int retries = 0;
  std::chrono::milliseconds task_timeout{0}; ///< 0: none
  bool core_dumps = false;
  std::function<std::uint64_t()> count_oom_kills; ///< runs in the zygote: kills by the kernel, for memory, so far
  void* function_state = nullptr;                 ///< handed to every task_entry
  std::function<void()> in_zygote;                ///< runs in the zygote before it says hello
  std::function<void(int)> at_birth;              ///< runs in each worker first of all, before it touches memory
  std::function<void(int)> in_worker;             ///< runs in each worker before its first task (worker_init)
  /// Runs the loop of the worker with this number under its thread budget.
  std::function<void(int, const std::function<void()>&)> around_tasks;
};

} // namespace lk::parallel::process
