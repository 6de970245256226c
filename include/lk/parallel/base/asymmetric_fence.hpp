// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

// Two processes that each write one word and then read the other's, at least one of which must see the other (Dekker's
// argument), need a full barrier each. Where one of them passes there for every task and the other seldom, the seldom
// one can have the kernel put the barrier into both: membarrier(2), "global expedited". The other then only keeps the
// compiler from reordering. Kernels before 4.16 and some sandboxes have no such call: both take their own barrier then.

namespace lk::parallel::base {

class asymmetric_fence {
 public:
  /// The seldom side: a full barrier here, and in every running thread of processes that have joined.
  /// False where the kernel does not do the latter.
  static bool heavy() noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0;
  }

  /// This process takes part from here on. False where the kernel does not know of it.
  static bool join() noexcept { return ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0; }

  /// The frequent side, in a process that has joined.
  static void light() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }
};

} // namespace lk::parallel::base
