// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include <spdlog/details/console_globals.h>
#include <spdlog/logger.h>
#include <spdlog/spdlog.h>

#include <lk/parallel/report/library_log.hpp>

// spdlog's two process-wide locks as a fork sees them: the registry's, which the forking thread can own, and the
// console's, which it cannot, so that the child has to try it.

namespace lk::parallel::report {

/// Runs fn exactly once while this thread owns the lock of spdlog's registry. A child forked by fn owns the copied lock
/// and lets it go by returning from fn.
/// fn must not name a logger: the lock is not recursive. Throws: what fn throws.
inline void run_with_registry_locked(const std::function<void()>& fn) {
  bool ran = false;
  while (!ran) {
    spdlog::apply_all([&](const std::shared_ptr<spdlog::logger>&) {
      if (ran) return;
      ran = true;
      fn();
    });
    if (!ran) library_logger(); // the registry was empty and apply_all called nobody; this one has no sinks then
  }
}

/// Takes and lets go of the lock of spdlog's console sinks.
/// Blocks: for ever where it was copied while held by another thread; the canary is watched from outside.
inline void probe_console_lock() { const std::lock_guard lock(spdlog::details::console_mutex::mutex()); }

} // namespace lk::parallel::report
