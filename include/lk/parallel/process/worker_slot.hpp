// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <sys/types.h>

#include <lk/parallel/base/queue_depth.hpp>
#include <lk/parallel/process/last_lines.hpp>
#include <lk/parallel/process/result_reader.hpp>
#include <lk/parallel/process/sent_tasks.hpp>
#include <lk/parallel/process/task_writer.hpp>
#include <lk/parallel/process/worker_bell.hpp>
#include <lk/parallel/process/worker_spec.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/frame.hpp>

// The host's side of one worker: its channel, the host's ends of its two rings, and what the host knows of it. The slot
// outlives its worker: the next one starts with rings as new.

namespace lk::parallel::process {

enum class slot_state { vacant, forking, running };

class worker_slot {
 public:
  worker_slot(int number, const shm::channel& channel) : number_(number), channel_(channel) { attach(); }

  slot_state state = slot_state::vacant;
  pid_t pid = 0;
  bool broke_protocol = false;
  bool is_listed = false; ///< by the dispatcher, among those with tasks

  int number() const { return number_; }
  const shm::channel& channel() const { return channel_; }
  task_writer& tasks() { return *tasks_; }
  const task_writer& tasks() const { return *tasks_; }
  const sent_tasks& outstanding() const { return tasks_->outstanding(); }
  bool has_tasks() const { return !outstanding().empty(); }
  /// Whether there is nothing to be done for it: neither a task to be answered nor anything to be published.
  bool is_done() const { return !has_tasks() && !tasks_->has_unpublished(); }
  /// As the worker says, just now.
  bool is_at_work() const { return has_tasks() && channel_.status->started.load(std::memory_order_relaxed) != 0; }
  /// How many tasks it is to have at most. left_for_each: as in base::queue_depth.
  std::size_t depth(std::optional<std::size_t> left_for_each = {}) const { return depth_.get(left_for_each); }

  void new_map(const map_header& map) {
    map_ = map;
    depth_ = {};
    tasks_->new_map(map);
  }

  /// As base::queue_depth knows them.
  bool has_short_tasks() const { return depth_.is_of_short_tasks(); }
  /// Whether it must be woken for a task, or is not there yet, and will not be woken anyway.
  bool is_asleep() const {
    return state != slot_state::running || (channel_.status->waits_for_host() && !tasks_->has_unpublished());
  }
  /// The processor on which it went to sleep last, as it says; -1: none.
  int slept_on() const { return channel_.status->slept_on.load(std::memory_order_relaxed); }

  /// Whether another task may be sent now.
  bool has_room(std::optional<std::size_t> left_for_each = {}) {
    return state != slot_state::vacant && tasks_->has_room(depth(left_for_each));
  }

  /// The worker is to tell a host that sleeps when half of what it has is done, or half of its ring is full.
  void ask_for_word() {
    std::uint64_t at = 0; // at anything
    if (has_tasks() && !tasks_->is_sending()) {
      const std::size_t results_in_half = channel_.results.size() / 2 / (usual_result_bytes_ + 1);
      at = outstanding().ring_end(std::min((outstanding().size() - 1) / 2, results_in_half));
    }
    channel_.host->refill_at.store(at, std::memory_order_relaxed);
  }

  /// Makes what was sent visible, and wakes the worker if it sleeps.
  void publish_tasks() {
    if (tasks_->publish()) bell_.ring_for_tasks();
  }

  /// Hands the oldest wire::message to fn. False where there is none.
  /// Throws: wire_error where the worker has written what cannot be true; what fn throws.
  template <class Fn> [[gnu::always_inline]] bool next_message(Fn&& fn) {
    return results_->next_message(std::forward<Fn>(fn));
  }

  /// Takes the answers to its oldest tasks, of one frame, as long as they are results of so many bytes, each in
  /// one frame: as many as fit into `into`, where they lie one after the other then, and none for tickets before
  /// `first`. Leaves everything else to next_message(). Returns their number. Throws: as next_message() does.
  std::size_t take_results(std::size_t bytes_each, std::uint64_t first, std::span<std::byte> into) {
    if (!has_tasks() || tasks_->is_sending_oldest() || outstanding().ticket() < first) return 0;
    const std::size_t most = std::min(into.size() / bytes_each, outstanding().n_in_oldest_frame());
    const std::size_t n = results_->next_results(outstanding().ticket(), most, bytes_each, into.data());
    if (n == 0) return 0;
    learn_result_bytes(bytes_each);
    tasks_->answered(n);
    return n;
  }

  /// Of the results that this worker has sent lately. Units: bytes.
  std::size_t usual_result_bytes() const { return usual_result_bytes_; }
  void learn_result_bytes(std::size_t bytes) { usual_result_bytes_ = (usual_result_bytes_ + bytes) / 2; }

  /// Gives the ring room of everything taken so far back to the worker.
  void free_results() { results_->free(); }

  /// Whether there is something to do that should not wait until the results of others, which come first, are here: the
  /// worker is short of tasks, as it says, or has room for more of a message in pieces.
  bool is_pressing() const {
    if (!has_tasks() || !has_arrivals()) return false;
    if (tasks_->is_sending()) return true;
    const auto consumed = channel_.status->tasks_consumed.bytes.load(std::memory_order_relaxed);
    return consumed >= outstanding().ring_end((outstanding().size() - 1) / 2);
  }

  /// Whether next_message() or continue_sending() would find something to do.
  bool has_arrivals() const {
    if (broke_protocol) return false;
    return results_->has_news() || tasks_->may_continue();
  }

  /// Whether the worker, dead by now, was at its oldest unanswered task.
  /// Throws: wire_error where what it wrote about that cannot be true.
  bool had_started() const {
    const std::uint64_t oldest = has_tasks() ? outstanding().ticket() + 1 : 0;
    const std::uint64_t started = channel_.status->started.load(std::memory_order_relaxed);
    const std::uint64_t noted = ~channel_.status->not_started.load(std::memory_order_relaxed);
    const bool is_possible = noted == 0 || noted == oldest || noted == tasks_->last_answered();
    if (!is_possible || (started != 0 && started != noted)) throw wire_error("a worker's status line was written over");
    return started != 0 && started == oldest;
  }

  /// What the worker logged last.
  last_lines& log() { return log_; }
  const last_lines& log() const { return log_; }

  /// Takes in what the worker says of its own speed.
  void learn_depth() {
    const auto tasks = channel_.status->tasks_finished.load(std::memory_order_relaxed);
    if (tasks == seen_tasks_) return;
    const auto busy = channel_.status->busy_ns.load(std::memory_order_relaxed);
    if (tasks > seen_tasks_ && busy >= seen_busy_) depth_.learn(tasks - seen_tasks_, busy - seen_busy_);
    seen_tasks_ = tasks;
    seen_busy_ = busy;
  }

  /// After the worker's death: what it had not answered, oldest first, and the rings as new.
  std::deque<parked_task> clear() {
    std::deque<parked_task> unanswered = tasks_->take_all();
    attach();
    return unanswered;
  }

 private:
  void attach() {
    channel_.reset();
    tasks_.emplace(channel_);
    tasks_->new_map(map_); // that in progress goes on with the next worker
    bell_ = worker_bell(channel_);
    results_.emplace(channel_, bell_);
    seen_tasks_ = seen_busy_ = 0;
    depth_ = {};
    log_ = {};
    broke_protocol = false;
    state = slot_state::vacant;
    pid = 0;
  }

  int number_;
  shm::channel channel_;
  map_header map_{};
  std::optional<task_writer> tasks_;
  worker_bell bell_{channel_};
  std::optional<result_reader> results_;
  std::size_t usual_result_bytes_ = 0;
  base::queue_depth depth_;
  std::uint64_t seen_tasks_ = 0, seen_busy_ = 0;
  last_lines log_;
};

} // namespace lk::parallel::process
