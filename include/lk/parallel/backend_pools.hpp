// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <thread>
#include <utility>
#include <vector>

#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/threads/backend_pool.hpp> // IWYU pragma: export

// The thread pools of the BLAS, OpenMP and LibTorch libraries in this process: what there is, and a limit for a scope.
// Independent of the four knobs, which size the same pools at initialize().

namespace lk::parallel {

/// What is loaded now, also by dlopen, whatever its file is called.
/// Blocks: while another thread is inside dlopen. Threads: safe.
/// Fork: in a child that a threaded process has forked by other means than an invoker, see threads/loaded_objects.hpp.
/// Source: threadpoolctl's threadpool_info().
LK_PARALLEL_FUNCTION std::vector<backend_pool> backend_pools();

/// Gives every pool that is loaded now n threads, and on exit what it had before. Left alone: a pool whose own variable
/// is set, LibTorch's inter-op pool, which cannot be set twice, and everything where n is -1.
/// Threads: make and drop it on one thread, since OpenMP's count belongs to the thread; the other pools are changed for
/// the whole process, so limits of several threads must not overlap, and none of these libraries should be at work.
/// Source: threadpoolctl's threadpool_limits.
class backend_limit {
 public:
  /// Sets the limit. Throws: config_error where n is neither -1 nor at least 1.
  explicit backend_limit(int n);
  ~backend_limit();
  backend_limit(const backend_limit&) = delete;
  backend_limit& operator=(const backend_limit&) = delete;

 private:
  std::vector<std::pair<backend_pool, int>> before_;
  std::thread::id owner_ = std::this_thread::get_id();
};

} // namespace lk::parallel

#ifndef LK_PARALLEL_COMPILED
#include <lk/parallel/backend_limit.hpp>
#endif
