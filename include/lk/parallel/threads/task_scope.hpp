// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <memory>

// The mark "this thread is inside a task". Nested parallel constructs look at it and run in place, so that the CPUs are
// given away once only. Marks belong to threads, not to the process.

namespace lk::parallel::threads {

inline constinit thread_local int task_depth = 0;

/// Set on the oneTBB threads that serve an arena of ours, while they are in it. It is the arena's token, not a flag:
/// oneTBB does not say goodbye to threads that linger in an arena being dropped, and such a mark must die with the
/// arena.
inline thread_local std::weak_ptr<const void> arena_served;

/// True on a thread that runs a chunk, a task of an in-process back end, or anything inside a thread_budget.
inline bool inside_task() noexcept { return task_depth > 0 || !arena_served.expired(); }

/// Marks this thread for the life of the object.
class task_scope {
 public:
  task_scope() noexcept { ++task_depth; }
  ~task_scope() { --task_depth; }
  task_scope(const task_scope&) = delete;
  task_scope& operator=(const task_scope&) = delete;
};

} // namespace lk::parallel::threads
