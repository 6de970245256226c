// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include <lk/parallel/base/fifo.hpp>

// The tasks that one worker has been sent and has not answered, oldest first, with their encoded arguments, so that
// they can be sent again to another worker.

namespace lk::parallel::process {

/// A task that has to be sent (again), with its encoded argument.
struct parked_task {
  std::uint64_t ticket;
  int attempt; ///< from 1
  std::vector<std::byte> argument;
};

struct sent_task {
  std::uint64_t ticket = 0;
  std::uint64_t ring_end = 0;         ///< position of the task ring behind its last frame
  std::span<const std::byte> in_ring; ///< the argument, if it went in one frame
  int attempt = 0;
  bool in_pieces = false; ///< the argument is kept on the heap
};

class sent_tasks {
 public:
  bool empty() const { return all_.empty(); }
  std::size_t size() const { return all_.size(); }
  const sent_task& operator[](std::size_t i) const { return all_[i]; } ///< from the oldest
  const sent_task& front() const { return all_.front(); }
  const sent_task& back() const { return all_.back(); }

  /// Lifetime: the argument stays in ring memory until pop_front() or take_all().
  void push_in_ring(std::uint64_t ticket, int attempt, std::uint64_t ring_end, std::span<const std::byte> argument) {
    all_.push_back({ticket, ring_end, argument, attempt, false});
  }
  /// One that goes in pieces, of which none is sent yet.
  void push_on_heap(parked_task task, std::uint64_t ring_end) {
    all_.push_back({task.ticket, ring_end, {}, task.attempt, true});
    on_heap_.push_back(std::move(task.argument));
  }

  /// The argument of the newest. Requires that it is on the heap.
  const std::vector<std::byte>& newest_argument() const { return on_heap_.back(); }
  void newest_reaches(std::uint64_t ring_end) { all_.back().ring_end = ring_end; }

  void pop_front() {
    if (all_.front().in_pieces) on_heap_.pop_front();
    all_.pop_front();
  }

  /// All of them, to be sent again; none is left here.
  std::deque<parked_task> take_all() {
    std::deque<parked_task> taken;
    for (; !empty(); pop_front()) {
      const sent_task& task = front();
      if (task.in_pieces)
        taken.push_back({task.ticket, task.attempt, std::move(on_heap_.front())});
      else
        taken.push_back({task.ticket, task.attempt, {task.in_ring.begin(), task.in_ring.end()}});
    }
    return taken;
  }

 private:
  base::fifo<sent_task> all_;
  std::deque<std::vector<std::byte>> on_heap_; ///< arguments of those that went in pieces, in their order
};

} // namespace lk::parallel::process
