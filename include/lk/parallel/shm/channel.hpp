// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include <lk/parallel/base/asymmetric_fence.hpp>
#include <lk/parallel/shm/doorbell.hpp>
#include <lk/parallel/shm/ring.hpp>
#include <lk/parallel/shm/segment.hpp>

// The shared memory of a pool: one page for everybody, and per worker a channel of four parts, each on pages of its
// own so that a worker's rights can be cut down to what it must write: its status line and its result ring.
//
//   pool page | channel 0: host line, task ring, status line, result ring | channel 1: ... | ...

namespace lk::parallel::shm {

/// Written by the host (`host_sleeps`) and by the zygote (the rest); workers only read it.
struct pool_page {
  /// Number of the sleep the host is going into; 0: awake. Odd: it wants to hear of everything. Even: it looks around
  /// by itself soon, and wants to hear only of workers that come to their host_line::refill_at.
  alignas(64) std::atomic<std::uint32_t> host_sleeps{0};
  /// Whether the host has the kernel put its fence into the workers as well, before it sleeps for long. Set once.
  std::atomic<std::uint32_t> host_fences_for_all{0};
  alignas(64) std::atomic<std::uint32_t> launch_step{0}; ///< last step the zygote reached, for the error message
  std::atomic<std::uint32_t> news_sent{0};               ///< messages it has, or will, put on the control socket
};

/// Written by the host only; the worker maps it read-only.
struct host_line {
  ring_position tasks_produced;
  ring_position results_consumed;
  /// Position of the task ring from which on the worker's queue is short enough for the host to be told.
  alignas(64) std::atomic<std::uint64_t> refill_at{0};
  alignas(64) futex_bell bell;
  // Looked at for each task, and so apart from what is written more often than once a map.
  alignas(64) std::atomic<std::uint64_t> first_live_ticket{0}; ///< tasks before it are abandoned
  std::atomic<std::uint32_t> stop{0};                          ///< leave the loop
};

/// Written by a worker's handler of fatal signals, once; read by the host after the worker's death.
struct crash_record {
  static constexpr std::uint32_t most_frames = 64;

  std::atomic<std::uint32_t> signal{0};   ///< 0: no crash
  std::atomic<std::uint32_t> n_frames{0}; ///< release: pairs with the host's acquire; it counts frames that are there
  std::atomic<std::uint64_t> address{0};  ///< that could not be reached, where the signal has one
  std::atomic<std::uint64_t> frames[most_frames]; ///< return addresses, innermost first
};

/// Written by the worker only; read by the host and the zygote, neither of which believes it.
struct status_line {
  ring_position tasks_consumed;
  ring_position results_produced;
  alignas(64) std::atomic<std::uint32_t> sleeps{0};  ///< number of its threads that are about to wait on the bell
  std::atomic<std::uint32_t> sleeps_for_room{0};     ///< number of those that wait for room on the result ring
  std::atomic<std::uint32_t> sleeps_begun{0};        ///< since the worker began
  std::atomic<std::int32_t> slept_on{-1};            ///< processor on which it waited for a task last; -1: none yet
  alignas(64) std::atomic<std::uint64_t> started{0}; ///< ticket + 1 of the task being run, 0 between tasks
  std::atomic<std::uint64_t> not_started{~0ULL};     ///< ~started, so that a stray write over both is noticed
  // Apart from what is written for each task, since the host reads these now and then.
  alignas(64) std::atomic<std::uint64_t> tasks_finished{0}; ///< since the worker began
  std::atomic<std::uint64_t> busy_ns{0};                    ///< time spent on those, not counting waits
  crash_record crash;

  /// Threads: the worker's main one, as for the next two.
  void attempt_started(std::uint64_t ticket) {
    // release: the order of the two is what makes them a pair; a death between them leaves `started` at 0.
    not_started.store(~(ticket + 1), std::memory_order_relaxed);
    started.store(ticket + 1, std::memory_order_release);
  }
  void attempt_ended() {
    started.store(0, std::memory_order_relaxed);
    not_started.store(~0ULL, std::memory_order_release);
  }
  /// Around a wait on the bell: for a task, or for room on the result ring. Threads: any of the worker.
  void sleep_begins(bool for_room) {
    sleeps_begun.fetch_add(1, std::memory_order_relaxed);
    // release: who sees that somebody sleeps sees which sleep it is.
    if (for_room) sleeps_for_room.fetch_add(1, std::memory_order_release);
    sleeps.fetch_add(1, std::memory_order_release);
    // seq_cst: pairs with the fence in worker_slot::wake.
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  void sleep_ended(bool for_room) {
    sleeps.fetch_sub(1, std::memory_order_relaxed);
    if (for_room) sleeps_for_room.fetch_sub(1, std::memory_order_relaxed);
  }
  bool waits_for_host() const {
    constexpr std::uint32_t most_threads = 65536; // no worker has more: somebody wrote over it
    const auto n = sleeps.load(std::memory_order_relaxed);
    return n != 0 && n <= most_threads;
  }
  void add_work(int tasks, std::chrono::nanoseconds time) {
    const auto plus = [](std::atomic<std::uint64_t>& counter, std::uint64_t amount) {
      counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    };
    plus(busy_ns, static_cast<std::uint64_t>(time.count()));
    plus(tasks_finished, static_cast<std::uint64_t>(tasks));
  }
};

/// Pointers into one worker's part of the segment; owns nothing.
struct channel {
  host_line* host;
  status_line* status;
  std::span<std::byte> tasks;        ///< ring memory, host to worker
  std::span<std::byte> results;      ///< ring memory, worker to host
  std::span<std::byte> host_pages;   ///< host line and task ring: the worker reads
  std::span<std::byte> worker_pages; ///< status line and result ring: the worker writes

  /// Both sides as new. Threads: the host, while no worker is attached.
  void reset() const {
    new (host) host_line;
    new (status) status_line;
  }
};

/// The whole pool's memory.
class pool_memory {
 public:
  /// Throws: resource_error.
  pool_memory(int n_workers, std::size_t task_ring_bytes, std::size_t result_ring_bytes)
      : n_workers_(n_workers)
      , task_ring_bytes_(round_up(task_ring_bytes, page_bytes()))
      , result_ring_bytes_(round_up(result_ring_bytes, page_bytes()))
      , memory_(page_bytes() + channel_bytes() * static_cast<std::size_t>(n_workers)) {
    new (memory_.bytes().data()) pool_page;
    page().host_fences_for_all.store(base::asymmetric_fence::heavy() ? 1 : 0, std::memory_order_relaxed);
    for (int worker = 0; worker < n_workers; ++worker) at(worker).reset();
  }

  int n_workers() const { return n_workers_; }
  pool_page& page() const { return *reinterpret_cast<pool_page*>(memory_.bytes().data()); }

  channel at(int worker) const {
    const auto all =
        memory_.bytes().subspan(page_bytes() + channel_bytes() * static_cast<std::size_t>(worker), channel_bytes());
    const auto host_pages = all.first(page_bytes() + task_ring_bytes_);
    const auto worker_pages = all.subspan(host_pages.size());
    return {reinterpret_cast<host_line*>(host_pages.data()),
            reinterpret_cast<status_line*>(worker_pages.data()),
            host_pages.subspan(page_bytes()),
            worker_pages.subspan(page_bytes()),
            host_pages,
            worker_pages};
  }

  /// Children forked from here on do not get this memory: it is nobody's but the pool's. Fork: the zygote exists.
  void hide_from_later_children() const { ::madvise(memory_.bytes().data(), memory_.bytes().size(), MADV_DONTFORK); }

  /// For the destructor in such a child, where the memory is not mapped.
  void forget() { memory_.release(); }

  /// Cuts this process's rights down to those of one worker. Fork: in the worker only. Throws: resource_error.
  void keep_only(int worker) const {
    const auto all = memory_.bytes();
    const auto mine = at(worker);
    const auto before = static_cast<std::size_t>(mine.host_pages.data() - all.data());
    const auto after = before + channel_bytes();
    take_out_of_map(all.subspan(page_bytes(), before - page_bytes()));
    take_out_of_map(all.subspan(after));
    make_read_only(all.first(page_bytes()));
    make_read_only(mine.host_pages);
  }

 private:
  std::size_t channel_bytes() const { return 2 * page_bytes() + task_ring_bytes_ + result_ring_bytes_; }

  int n_workers_;
  std::size_t task_ring_bytes_, result_ring_bytes_;
  segment memory_;
};
static_assert(sizeof(host_line) <= 4096 && sizeof(status_line) <= 4096);

} // namespace lk::parallel::shm
