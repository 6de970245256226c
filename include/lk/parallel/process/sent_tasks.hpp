// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cassert>
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

/// The tasks of one frame, but for those that are answered; or the one task of several frames.
struct sent_frame {
  std::uint64_t ticket = 0;  ///< of the oldest; the others have the next ones
  std::uint64_t ordinal = 0; ///< of the oldest, among all ever sent
  std::uint64_t ring_end = 0;
  const std::byte* arguments = nullptr; ///< one after the other, in ring memory
  std::size_t bytes_each = 0;
  std::size_t n_tasks = 0;
  int attempt = 0;
  bool in_pieces = false; ///< the argument is kept on the heap
};

class sent_tasks {
 public:
  bool empty() const { return all_.empty(); }
  std::size_t size() const { return n_tasks_; }
  std::size_t n_frames() const { return all_.size(); } ///< a task in pieces counts as one

  /// Of the i-th task from the oldest. Requires i < size().
  std::uint64_t ticket(std::size_t i = 0) const {
    const sent_frame& frame = i == 0 ? all_.front() : frame_of(i);
    return frame.ticket + (all_.front().ordinal + i - frame.ordinal);
  }
  /// Position of the task ring behind the last frame of the i-th task from the oldest. 0: that is not sent yet.
  std::uint64_t ring_end(std::size_t i = 0) const { return (i == 0 ? all_.front() : frame_of(i)).ring_end; }
  /// How many tasks the oldest frame holds that are not answered; they are the oldest, with consecutive tickets.
  std::size_t n_in_oldest_frame() const { return all_.front().n_tasks; }

  /// Lifetime: the argument stays in ring memory until pop_front() or take_all().
  void push_in_ring(std::uint64_t ticket, int attempt, std::uint64_t ring_end, std::span<const std::byte> argument) {
    push({.ticket = ticket,
          .ring_end = ring_end,
          .arguments = argument.data(),
          .bytes_each = argument.size(),
          .n_tasks = 1,
          .attempt = attempt});
  }
  /// One that goes in pieces, of which none is sent yet.
  void push_on_heap(parked_task task, std::uint64_t ring_end) {
    push({.ticket = task.ticket, .ring_end = ring_end, .n_tasks = 1, .attempt = task.attempt, .in_pieces = true});
    on_heap_.push_back(std::move(task.argument));
  }
  /// A frame for several tasks with consecutive tickets, whose arguments will lie there one after the other.
  void begin_run(std::uint64_t first_ticket, const std::byte* arguments, std::size_t bytes_each) {
    push({.ticket = first_ticket, .arguments = arguments, .bytes_each = bytes_each, .n_tasks = 0, .attempt = 1});
  }
  /// There are n tasks in the run begun last.
  void end_run(std::size_t n, std::uint64_t ring_end) {
    n_tasks_ += n;
    n_ever_ += n;
    all_.back().n_tasks = n;
    newest_reaches(ring_end);
  }

  /// The argument of the newest. Requires that it is on the heap.
  const std::vector<std::byte>& newest_argument() const { return on_heap_.back(); }
  /// First ticket of the newest frame.
  std::uint64_t newest_ticket() const { return all_.back().ticket; }
  int newest_attempt() const { return all_.back().attempt; }
  void newest_reaches(std::uint64_t ring_end) { all_.back().ring_end = ring_end; }

  /// Requires 1 <= n <= n_in_oldest_frame().
  void pop_front(std::size_t n = 1) {
    sent_frame& oldest = all_.front();
    assert(n >= 1 && n <= oldest.n_tasks);
    n_tasks_ -= n;
    if (oldest.n_tasks > n) {
      oldest.n_tasks -= n;
      oldest.ticket += n;
      oldest.ordinal += n;
      oldest.arguments += n * oldest.bytes_each;
      return;
    }
    if (oldest.in_pieces) on_heap_.pop_front();
    all_.pop_front();
  }

  /// All of them, to be sent again; none is left here.
  std::deque<parked_task> take_all() {
    std::deque<parked_task> taken;
    for (; !empty(); pop_front()) {
      const sent_frame& task = all_.front();
      if (task.in_pieces)
        taken.push_back({task.ticket, task.attempt, std::move(on_heap_.front())});
      else
        taken.push_back({task.ticket, task.attempt, {task.arguments, task.arguments + task.bytes_each}});
    }
    return taken;
  }

 private:
  void push(sent_frame frame) {
    frame.ordinal = n_ever_;
    all_.push_back(frame); // first: it may throw
    n_tasks_ += frame.n_tasks;
    n_ever_ += frame.n_tasks;
  }

  const sent_frame& frame_of(std::size_t i) const {
    assert(i < n_tasks_);
    const std::uint64_t wanted = all_.front().ordinal + i;
    std::size_t first = 0, last = all_.size(); // the frame is in [first, last)
    while (last - first > 1) {
      const std::size_t middle = first + (last - first) / 2;
      (all_[middle].ordinal <= wanted ? first : last) = middle;
    }
    return all_[first];
  }

  base::fifo<sent_frame> all_;
  std::size_t n_tasks_ = 0;
  std::uint64_t n_ever_ = 0;
  std::deque<std::vector<std::byte>> on_heap_; ///< arguments of those that went in pieces, in their order
};

} // namespace lk::parallel::process
