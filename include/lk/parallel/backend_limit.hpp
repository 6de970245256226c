// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <lk/parallel/backend_pools.hpp>
#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/config/environment.hpp>
#include <lk/parallel/threads/backend_pools.hpp>

// How the pools of loaded libraries are found and limited for a scope.

namespace lk::parallel {

LK_PARALLEL_DEFINITION std::vector<backend_pool> backend_pools() { return threads::backend_pools::find().all(); }

LK_PARALLEL_DEFINITION backend_limit::backend_limit(int n) {
  if (!config::is_count(n, true)) config::throw_bad_count("backend_limit", std::to_string(n), true);
  if (n == -1) return;
  const threads::backend_pools loaded = threads::backend_pools::find();
  for (const bool per_thread : {false, true}) { // OpenMP last: others set it on the way
    for (const backend_pool& pool : loaded.all())
      if (pool.per_thread == per_thread && pool.variable.empty() && pool.kind != backend_kind::torch_inter_op)
        before_.emplace_back(pool, pool.threads());
  }
  for (const auto& [pool, threads] : before_) pool.try_set_threads(n);
}

LK_PARALLEL_DEFINITION backend_limit::~backend_limit() {
  for (const auto& [pool, threads] : before_)
    if (!pool.per_thread || owner_ == std::this_thread::get_id()) pool.try_set_threads(threads);
}

} // namespace lk::parallel
