// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include <lk/parallel/base/asymmetric_fence.hpp>
#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/shm/channel.hpp>

// How the host goes to sleep, so that no word of a worker is missed and few are needed. First it sleeps for a moment in
// which the workers wake it only where they are short of tasks: results come in bunches then, and each costs less. Then
// it sleeps until anything happens.

namespace lk::parallel::process {

/// Threads: one at a time.
class host_sleep {
 public:
  explicit host_sleep(shm::pool_page& page) : page_(page) {}

  /// pressing() says whether something is there that the host must not sleep over, any() whether there is anything;
  /// until_told(deadline) blocks, and says whether somebody told rather than the time was over.
  /// True where all that is there has waited long enough by now, pressing or not: a line of the log, say.
  template <class Pressing, class Any, class UntilTold>
  bool sleep(const base::deadline& limit, Pressing&& pressing, Any&& any, UntilTold&& until_told) {
    number_ += 2;
    if (number_ == 0) number_ = 2;
    const awake_again afterwards(page_);
    announce(number_);
    if (pressing()) return false;
    const bool is_short = !limit.is_never() && limit.left() <= moment;
    if (until_told(is_short ? limit : base::deadline::after(moment))) return false;
    if (is_short || any()) return true;
    announce(number_ | 1);
    // Where the workers leave the fence to the host, their last word may be on its way while they do not see yet that
    // the host sleeps. The kernel's fence settles that; it costs more than most short sleeps. Where the kernel refuses
    // it all of a sudden, the host goes on in short sleeps.
    const bool for_all = page_.host_fences_for_all.load(std::memory_order_relaxed) != 0;
    if ((for_all && !base::asymmetric_fence::heavy()) || any()) return true;
    until_told(limit);
    return true;
  }

 private:
  static constexpr auto moment = std::chrono::milliseconds(1);

  struct awake_again {
    explicit awake_again(shm::pool_page& page) : page_(page) {}
    ~awake_again() { page_.host_sleeps.store(0, std::memory_order_relaxed); }
    awake_again(const awake_again&) = delete;
    awake_again& operator=(const awake_again&) = delete;
    shm::pool_page& page_;
  };

  void announce(std::uint32_t number) {
    // release: who sees it sees what worker_slot::ask_for_word wrote.
    page_.host_sleeps.store(number, std::memory_order_release);
    // seq_cst: the middle of Dekker's argument; pairs with the fence in result_sender::sleep_of_host.
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }

  shm::pool_page& page_;
  std::uint32_t number_ = 0;
};

} // namespace lk::parallel::process
