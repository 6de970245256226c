// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include <sched.h>

#include <lk/parallel/process/pool.hpp>
#include <lk/parallel/process/wait_share.hpp>
#include <lk/parallel/process/worker_slot.hpp>
#include <lk/parallel/process/worker_spec.hpp>
#include <lk/parallel/shm/channel.hpp>

// Which worker gets which task. Numbers tasks by tickets over the life of the pool, fills the queue of the least loaded
// worker, and keeps the tasks that wait to be sent (again). Knows nothing of processes.

namespace lk::parallel::process {

/// Threads: one at a time.
class dispatcher {
 public:
  explicit dispatcher(const shm::pool_memory& memory) {
    for (int worker = 0; worker < memory.n_workers(); ++worker) slots_.emplace_back(worker, memory.at(worker));
    with_tasks_.reserve(slots_.size());
  }

  std::deque<worker_slot>& slots() { return slots_; }
  const std::deque<worker_slot>& slots() const { return slots_; }
  worker_slot& slot(int worker) { return slots_[static_cast<std::size_t>(worker)]; }

  /// Those that have tasks, and maybe some that had: of many workers few may have any.
  const std::vector<worker_slot*>& with_tasks() const { return with_tasks_; }

  /// The worker with the oldest task that is not answered: results in order wait for it. Null where there is none.
  worker_slot* oldest() {
    std::erase_if(with_tasks_, [](worker_slot* slot) {
      slot->is_listed = !slot->is_done();
      return !slot->is_listed;
    });
    worker_slot* found = nullptr;
    for (worker_slot* const slot : with_tasks_)
      if (slot->has_tasks() && (!found || slot->outstanding().ticket() < found->outstanding().ticket())) found = slot;
    return found;
  }

  /// The tasks submitted from here on belong to this map.
  void begin_map(const map_spec& map) {
    abandon_map();
    map_ = {map.entry, next_ticket_ - map.first_index, map.seed, map.argument_bytes,
            map.result_bytes}; // may wrap around
    for (worker_slot& slot : slots_) slot.new_map(map_);
    end_ticket_ = {};
    left_for_each_ = {};
  }

  /// The map just begun has so many tasks.
  void expect(std::uint64_t n_tasks) {
    end_ticket_ = next_ticket_ + std::min(n_tasks, UINT64_MAX - next_ticket_);
    count_what_is_left();
  }

  /// What was submitted and not answered is of no interest any more. Tasks that run may notice and leave.
  void abandon_map() {
    parked_.clear();
    first_live_ = next_ticket_;
    for (const worker_slot& slot : slots_)
      slot.channel().host->first_live_ticket.store(first_live_, std::memory_order_relaxed);
  }

  bool is_wanted(std::uint64_t ticket) const { return ticket >= first_live_; }
  std::uint64_t first_wanted() const { return first_live_; }
  std::uint64_t index_of(std::uint64_t ticket) const { return ticket - map_.first_ticket; }

  /// Short tasks go to workers that are awake, as long as there are any: to wake another costs more than it can help a
  /// host that is busy as it is. Where the host has nothing to do, this lets the sleepers have tasks, too, the next
  /// time that there are some. Whether any has gone without.
  bool call_sleepers() {
    sleepers_called_ = true;
    return std::exchange(any_went_without_, false);
  }
  /// The host has taken and given what it can for now.
  void note_look() {
    waits_.note_look();
    if (!std::exchange(sleepers_heard_, false)) return; // nobody was to be given anything
    sleepers_called_ = false;
    batch_left_ = 0; // it may be a sleeper's
  }
  /// It found nothing to give to the consumer.
  void note_wait() {
    waits_.note_wait();
    if (waits_.are_many()) sleepers_called_ = true;
  }

  /// Whether begin_task() or open_run() may be called.
  bool has_room() {
    if (!parked_.empty()) return false;
    if (batch_left_ > 0 && target_->has_room(left_for_each_)) return true;
    return choose_target();
  }

  /// As in pool, like the four below.
  wire::writer& begin_task() {
    ++next_ticket_;
    list(*target_);
    return target_->tasks().begin_task();
  }
  void end_task() {
    auto unfit = target_->tasks().end_task(next_ticket_ - 1);
    if (batch_left_ > 0) --batch_left_;
    if (!unfit) return;
    parked_.push_back(std::move(*unfit));
    send_parked();
  }
  void drop_task() noexcept { target_->tasks().drop_task(); }
  argument_run open_run() {
    list(*target_);
    argument_run run = target_->tasks().open_run(next_ticket_, target_->depth(left_for_each_));
    run.n_left = std::min(run.n_left, std::max<std::size_t>(batch_left_, 1));
    return run;
  }
  void close_run(std::size_t n) {
    target_->tasks().close_run(n);
    next_ticket_ += n;
    batch_left_ -= std::min(batch_left_, n);
  }

  /// Takes back tasks that a worker did not answer: those still wanted go first, in their order.
  void take_back(std::deque<parked_task> tasks) {
    std::erase_if(tasks, [&](const parked_task& task) { return !is_wanted(task.ticket); });
    parked_.insert(parked_.begin(), std::make_move_iterator(tasks.begin()), std::make_move_iterator(tasks.end()));
  }

  /// Goes on with messages in pieces and with parked tasks, as far as there is room.
  void send_parked() {
    for (worker_slot* const slot : with_tasks_) slot->tasks().continue_sending();
    while (!parked_.empty() && choose_target()) {
      list(*target_);
      target_->tasks().send(std::move(parked_.front()));
      parked_.pop_front();
      batch_left_ = 0;
    }
  }

  /// Makes everything sent visible and wakes sleeping workers that have got something.
  void publish() {
    for (worker_slot* const slot : with_tasks_) slot->publish_tasks();
  }

  /// Tasks of this map that are being run at this moment, as the workers say.
  std::size_t n_running() const {
    return static_cast<std::size_t>(std::count_if(slots_.begin(), slots_.end(), [&](const worker_slot& slot) {
      return slot.is_at_work() && is_wanted(slot.outstanding().ticket());
    }));
  }

 private:
  void list(worker_slot& slot) {
    if (!std::exchange(slot.is_listed, true)) with_tasks_.push_back(&slot);
  }

  /// What it takes until a worker begins with a task.
  enum class wake { none, on_another_processor, on_this_processor };

  /// A worker mostly wakes where it went to sleep. Where that is the host's own processor, it pushes the host off.
  wake wake_needed(const worker_slot& slot, int this_processor) const {
    if (sleepers_called_ || !slot.has_short_tasks() || !slot.is_asleep()) return wake::none;
    return slot.slept_on() == this_processor ? wake::on_this_processor : wake::on_another_processor;
  }

  /// Of the workers that are reached most easily, picks the one with the fewest tasks and gives it half of what it may
  /// still take, so that the choice is not made for every small task; but no more than a part of its ring can hold the
  /// results of, or it stands still with a full ring until the results of the others, which come first, are taken.
  bool choose_target() {
    batch_left_ = 0;
    count_what_is_left();
    const int here = ::sched_getcpu();
    wake least = wake::on_this_processor, most = wake::none;
    for (const worker_slot& slot : slots_) {
      least = std::min(least, wake_needed(slot, here));
      most = std::max(most, wake_needed(slot, here));
    }
    if (most != least) any_went_without_ = true;
    std::size_t fewest = SIZE_MAX;
    for (worker_slot& slot : slots_) {
      if (slot.outstanding().size() >= fewest || wake_needed(slot, here) != least || !slot.has_room(left_for_each_))
        continue;
      fewest = slot.outstanding().size();
      target_ = &slot;
    }
    if (fewest == SIZE_MAX) return false;
    sleepers_heard_ = sleepers_called_;
    const std::size_t results_that_fit = target_->channel().results.size() / 4 / (target_->usual_result_bytes() + 1);
    const std::size_t part_of_queue =
        std::max<std::size_t>(target_->depth() / 4, 1); // more, and a small window has one worker
    const std::size_t largest = std::clamp<std::size_t>(results_that_fit, 1, std::min(part_of_queue, largest_batch));
    const std::size_t depth = target_->depth(left_for_each_);
    const std::size_t wanted = depth > fewest ? depth - fewest : 0;
    batch_left_ = std::clamp<std::size_t>(wanted / 2, 1, largest);
    return true;
  }

  void count_what_is_left() {
    if (end_ticket_) left_for_each_ = (*end_ticket_ - std::min(*end_ticket_, next_ticket_)) / slots_.size();
  }

  static constexpr std::size_t largest_batch = 512;

  std::deque<worker_slot> slots_;
  std::vector<worker_slot*> with_tasks_; ///< each is_listed
  std::deque<parked_task> parked_;
  map_header map_{};
  std::uint64_t next_ticket_ = 0;
  std::uint64_t first_live_ = 0;
  std::optional<std::uint64_t> end_ticket_;  ///< of the map, where that is known
  std::optional<std::size_t> left_for_each_; ///< worker, of the tasks that are still to come
  worker_slot* target_ = nullptr;            ///< whoever gets the next task, while there is something left of the batch
  std::size_t batch_left_ = 0;
  wait_share waits_;
  bool sleepers_called_ = false;
  bool sleepers_heard_ = false;   ///< called, and somebody was chosen since
  bool any_went_without_ = false; ///< a worker that sleeps, of a task that it could have had
};

} // namespace lk::parallel::process
