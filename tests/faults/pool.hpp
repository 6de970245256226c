// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <sys/types.h>

#include <lk/parallel/invoker_options.hpp>
#include <lk/parallel/model_op_invoker.hpp>

// What the faults have in common: one kind of invoker, compiled once; memory that tasks and host share; and the
// library's processes by name.

namespace lk::parallel::faults {

using task = std::function<std::string(std::int64_t, task_context&)>;
using pool = ModelOpInvoker<std::int64_t, std::string>;

pool make_pool(task fn, invoker_options options = {});

/// The usual result of a task: a short text that depends on x alone.
std::string answer(std::int64_t x);

/// 0, 1, ... n - 1.
std::vector<std::int64_t> arguments(std::int64_t n);

/// The results of a whole map.
std::vector<std::string> results_of(pool& workers, const std::vector<std::int64_t>& arguments);

/// Expects that a map of n arguments over this pool gives the usual results.
void expect_healthy(pool& workers, std::int64_t n = 100);

/// A T in memory shared with all processes forked later, zero or default at first.
template <class T> class shared {
 public:
  shared() : value_(new (::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) T()) {}
  ~shared() { ::munmap(static_cast<void*>(value_), sizeof(T)); }
  shared(const shared&) = delete;
  shared& operator=(const shared&) = delete;
  T& operator*() const { return *value_; }
  T* operator->() const { return value_; }

 private:
  T* value_;
};

/// The workers of this process's pools, by their names (lk-worker-N), and its zygotes. Zombies are left out, and so are
/// workers whose zygote is gone.
std::vector<pid_t> worker_pids();
std::vector<pid_t> zygote_pids();

} // namespace lk::parallel::faults
