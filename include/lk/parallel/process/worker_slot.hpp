// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include <lk/parallel/base/queue_depth.hpp>
#include <lk/parallel/process/result_reader.hpp>
#include <lk/parallel/process/sent_tasks.hpp>
#include <lk/parallel/process/worker_bell.hpp>
#include <lk/parallel/process/worker_spec.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/frame.hpp>

// The host's side of one worker: its channel, and the host's own record of what was sent to it. Arguments of unfinished
// tasks stay where they are until the worker is done with them, in ring memory that only the host can write or on the
// host's heap, so that they can be sent again to another worker.

namespace lk::parallel::process {

enum class slot_state { vacant, forking, running };

class worker_slot {
 public:
  explicit worker_slot(const shm::channel& channel) : channel_(channel) { attach(); }

  slot_state state = slot_state::vacant;
  pid_t pid = 0;
  bool broke_protocol = false;

  const shm::channel& channel() const { return channel_; }
  const sent_tasks& outstanding() const { return outstanding_; }
  bool has_tasks() const { return !outstanding_.empty(); }
  /// As the worker says, just now.
  bool is_at_work() const { return has_tasks() && channel_.status->started.load(std::memory_order_relaxed) != 0; }
  std::size_t depth() const { return depth_.get(); }

  /// Whether another task may be sent now. Once the queue is full there is no room until half of it is answered: a
  /// worker that is faster than the host would else be woken for every few tasks.
  [[gnu::always_inline]] bool has_room() {
    if (quota_ > 0 && reserved_.data() != nullptr && reserved_.size() >= usual_task_bytes_) [[likely]]
      return true;
    return look_for_room();
  }

  void new_map(const map_header& map) {
    map_ = map;
    depth_ = {};
    map_announced_ = false;
    quota_ = 0;
  }

  /// Builds one task in place. Requires has_room(). Hands it back where its argument did not fit.
  template <class Encode> std::optional<parked_task> send(std::uint64_t ticket, Encode&& encode) {
    announce();
    wire::writer writer(reserved_);
    encode(writer);
    if (writer.in_place()) {
      commit(ticket, 1, writer.size());
      return std::nullopt;
    }
    const auto bytes = writer.bytes();
    return parked_task{ticket, 1, {bytes.begin(), bytes.end()}};
  }

  /// Sends a task that is already encoded. Requires has_room().
  void send(parked_task task) {
    announce();
    const std::size_t bytes = task.argument.size();
    if (bytes <= shm::largest_payload(tasks_->capacity())) {
      if (const auto room = tasks_->reserve(bytes)) {
        if (bytes != 0) std::memcpy(room->data(), task.argument.data(), bytes);
        reserved_ = *room;
        return commit(task.ticket, task.attempt, bytes);
      }
    }
    outstanding_.push_on_heap(std::move(task), tasks_->position());
    sending_ = true;
    quota_ = 0;
    reserved_ = {};
    sent_bytes_ = 0;
    continue_sending();
  }

  /// Goes on with a message that travels in pieces, as far as the ring has room.
  void continue_sending() {
    if (!sending_) return;
    const sent_task& task = outstanding_.back();
    const std::vector<std::byte>& argument = outstanding_.newest_argument();
    if (outstanding_.size() == 1) reuse_what_was_read();
    const std::size_t largest = shm::largest_payload(tasks_->capacity()) / 2;
    while (sent_bytes_ < argument.size()) {
      const std::size_t bytes = std::min(largest, argument.size() - sent_bytes_);
      const auto room = tasks_->reserve(bytes);
      if (!room) return;
      std::memcpy(room->data(), argument.data() + sent_bytes_, bytes);
      sent_bytes_ += bytes;
      const bool more = sent_bytes_ < argument.size();
      tasks_->commit(wire::code(wire::frame_kind::task), task.ticket, bytes,
                     wire::frame_flags(task.attempt, more).bits());
      outstanding_.newest_reaches(tasks_->position());
      unpublished_ = true;
    }
    sending_ = false;
  }

  /// Takes in how far the worker says it has read its tasks, which matters while a message travels in pieces.
  /// Throws: wire_error where it has not been sent as much.
  void learn_consumed() {
    // acquire: pairs with the release in ring_reader::publish; what is freed is not read any more.
    const std::uint64_t claimed = channel_.status->tasks_consumed.bytes.load(std::memory_order_acquire);
    if (claimed > tasks_->position() || claimed % shm::frame_alignment != 0)
      throw wire_error("a worker claims to have read more than it was sent");
    seen_consumed_ = claimed;
  }

  /// Whether the oldest outstanding task has been sent in part only: it cannot have been answered.
  bool is_sending_oldest() const { return sending_ && outstanding_.size() == 1; }

  /// The oldest outstanding task has been answered: its bytes may be overwritten.
  void answered() {
    const sent_task& task = outstanding_.front();
    freed_.bytes.store(task.ring_end, std::memory_order_relaxed);
    last_answered_ = task.ticket + 1;
    outstanding_.pop_front();
    ++n_answered_;
  }
  std::uint64_t n_answered() const { return n_answered_; } ///< by this worker process

  /// The worker is to tell a host that sleeps when half of what it has is done, or half of its ring is full.
  void ask_for_word() {
    std::uint64_t at = 0; // at anything
    if (!outstanding_.empty() && !sending_) {
      const std::size_t results_in_half = channel_.results.size() / 2 / (usual_result_bytes_ + 1);
      at = outstanding_[std::min((outstanding_.size() - 1) / 2, results_in_half)].ring_end;
    }
    channel_.host->refill_at.store(at, std::memory_order_relaxed);
  }

  /// Makes what was sent visible, and wakes the worker if it sleeps.
  void publish_tasks() {
    if (!unpublished_) return;
    unpublished_ = false;
    tasks_->publish();
    bell_.ring_for_tasks();
  }

  /// Hands the oldest wire::message to fn. False where there is none.
  /// Throws: wire_error where the worker has written what cannot be true; what fn throws.
  template <class Fn> [[gnu::always_inline]] bool next_message(Fn&& fn) {
    return results_->next_message(std::forward<Fn>(fn));
  }

  /// Takes the answers to its oldest tasks as long as they are results of a T in frames of their own, at most `most` of
  /// them, none for tickets before `first`; hands each to fn(ticket, value). Leaves everything else to next_message().
  /// Returns their number. Throws: as next_message() does.
  template <class T, class Fn>
  [[gnu::always_inline]] std::size_t take_results(std::size_t most, std::uint64_t first, Fn&& fn) {
    std::size_t n = 0;
    for (; n < most && !outstanding_.empty() && !is_sending_oldest(); ++n) {
      const std::uint64_t ticket = outstanding_.front().ticket;
      if (ticket < first) break;
      const std::optional<T> value = results_->template next_result<T>(ticket);
      if (!value) break;
      answered();
      fn(ticket, *value);
    }
    if (n > 0) learn_result_bytes(sizeof(T));
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
    if (outstanding_.empty() || !has_arrivals()) return false;
    if (sending_) return true;
    const auto consumed = channel_.status->tasks_consumed.bytes.load(std::memory_order_relaxed);
    return consumed >= outstanding_[(outstanding_.size() - 1) / 2].ring_end;
  }

  /// Whether next_message() or continue_sending() would find something to do.
  bool has_arrivals() const {
    if (broke_protocol) return false;
    return results_->has_frames() ||
           (sending_ && channel_.status->tasks_consumed.bytes.load(std::memory_order_relaxed) != seen_consumed_);
  }

  /// Whether the worker, dead by now, was at its oldest unanswered task.
  /// Throws: wire_error where what it wrote about that cannot be true.
  bool had_started() const {
    const std::uint64_t oldest = outstanding_.empty() ? 0 : outstanding_.front().ticket + 1;
    const std::uint64_t started = channel_.status->started.load(std::memory_order_relaxed);
    const std::uint64_t noted = ~channel_.status->not_started.load(std::memory_order_relaxed);
    const bool is_possible = noted == 0 || noted == oldest || noted == last_answered_;
    if (!is_possible || (started != 0 && started != noted)) throw wire_error("a worker's status line was written over");
    return started != 0 && started == oldest;
  }

  /// For the report of a death: keeps the last few lines that the worker logged.
  void remember_log_line(std::string_view line) {
    constexpr std::size_t most_lines = 5, longest_line = 500;
    if (last_log_lines_.size() == most_lines) last_log_lines_.pop_front();
    last_log_lines_.emplace_back(line.substr(0, longest_line));
  }
  std::string last_log_lines() const {
    std::string all;
    for (const std::string& line : last_log_lines_) all += (all.empty() ? "" : "\n") + line;
    return all;
  }

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
    std::deque<parked_task> unanswered = outstanding_.take_all();
    attach();
    return unanswered;
  }

 private:
  void attach() {
    channel_.reset();
    freed_.bytes.store(0, std::memory_order_relaxed);
    tasks_.emplace(channel_.tasks, channel_.host->tasks_produced, freed_);
    bell_ = worker_bell(channel_);
    results_.emplace(channel_, bell_);
    outstanding_ = {};
    reserved_ = {};
    quota_ = 0;
    sending_ = unpublished_ = map_announced_ = broke_protocol = false;
    seen_tasks_ = seen_busy_ = seen_consumed_ = 0;
    depth_ = {};
    last_answered_ = n_answered_ = 0;
    last_log_lines_.clear();
    state = slot_state::vacant;
    pid = 0;
  }

  /// Room on the task ring is freed by answers, not by the position the worker claims, because what is unanswered must
  /// be there to be sent again. The exception is a message in pieces, which the host keeps on its heap.
  void reuse_what_was_read() {
    if (seen_consumed_ > freed_.bytes.load(std::memory_order_relaxed))
      freed_.bytes.store(seen_consumed_, std::memory_order_relaxed);
  }

  void announce() {
    if (map_announced_) return;
    std::memcpy(reserved_.data(), &map_, sizeof map_);
    tasks_->commit(wire::code(wire::frame_kind::begin_map), 0, sizeof map_);
    map_announced_ = unpublished_ = true;
    reserved_ = *tasks_->reserve(usual_task_bytes_);
  }

  [[gnu::noinline]] bool look_for_room() {
    quota_ = 0;
    if (state == slot_state::vacant || sending_) return false;
    const std::size_t most = is_filling_ ? depth_.get() : depth_.get() / 2 + 1;
    if (outstanding_.size() >= most) return is_filling_ = false;
    const auto room = tasks_->reserve(usual_task_bytes_ + (map_announced_ ? 0 : shm::frame_bytes(sizeof map_)));
    if (!room) return is_filling_ = false;
    reserved_ = *room;
    quota_ = most - outstanding_.size();
    return is_filling_ = true;
  }

  void commit(std::uint64_t ticket, int attempt, std::size_t bytes) {
    tasks_->commit(wire::code(wire::frame_kind::task), ticket, bytes, wire::frame_flags(attempt, false).bits());
    outstanding_.push_in_ring(ticket, attempt, tasks_->position(), reserved_.first(bytes));
    const std::size_t taken = shm::frame_bytes(bytes);
    reserved_ = reserved_.size() >= taken ? reserved_.subspan(taken) : std::span<std::byte>(); // the next frame's room
    if (quota_ > 0) --quota_;
    usual_task_bytes_ = std::min(std::max(bytes, usual_task_bytes_ / 2), shm::largest_payload(tasks_->capacity()) / 2);
    unpublished_ = true;
  }

  shm::channel channel_;
  map_header map_{};
  shm::ring_position freed_; ///< how far the task ring may be overwritten
  std::optional<shm::ring_writer> tasks_;
  worker_bell bell_{channel_};
  std::optional<result_reader> results_;
  sent_tasks outstanding_;
  std::span<std::byte> reserved_; ///< room for the payload of the next task; empty where that is not looked for yet
  std::size_t quota_ = 0;         ///< tasks that may be sent before the next look_for_room()
  std::size_t usual_task_bytes_ = 64, usual_result_bytes_ = 0;
  base::queue_depth depth_;
  std::uint64_t seen_tasks_ = 0, seen_busy_ = 0;
  std::uint64_t seen_consumed_ = 0; ///< the worker's last known claim, while a message travels in pieces
  std::uint64_t last_answered_ = 0; ///< ticket + 1; 0: none
  std::uint64_t n_answered_ = 0;
  std::deque<std::string> last_log_lines_;
  std::size_t sent_bytes_ = 0;
  bool is_filling_ = true; ///< until there is no room any more
  bool sending_ = false, unpublished_ = false, map_announced_ = false;
};

} // namespace lk::parallel::process
