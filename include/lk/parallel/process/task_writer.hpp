// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/process/pool.hpp>
#include <lk/parallel/process/sent_tasks.hpp>
#include <lk/parallel/process/worker_spec.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/cursor.hpp>
#include <lk/parallel/wire/frame.hpp>

// The host's end of one worker's task ring, and the host's own record of what it has sent. Arguments of unfinished
// tasks stay where they are until the worker is done with them, in ring memory that only the host can write or on the
// host's heap, so that they can be sent again to another worker.

namespace lk::parallel::process {

/// Threads: one at a time.
class task_writer {
 public:
  explicit task_writer(const shm::channel& channel)
      : channel_(channel)
      , ring_(channel.tasks, channel.host->tasks_produced, freed_) {}
  task_writer(const task_writer&) = delete;
  task_writer& operator=(const task_writer&) = delete;

  const sent_tasks& outstanding() const { return outstanding_; }

  /// Whether another task may be sent now. Once the queue is full there is no room until half of it is answered: a
  /// worker that is faster than the host would else be woken for every few tasks.
  /// depth: how many tasks the worker is to have at most.
  bool has_room(std::size_t depth) {
    // The depth is looked at each time: a worker whose tasks become slow has had enough at once.
    const bool is_wanted = quota_ > 0 && outstanding_.size() < depth;
    if (is_wanted && reserved_.data() != nullptr && reserved_.size() >= usual_task_bytes_) [[likely]]
      return true;
    return look_for_room(depth);
  }

  /// The tasks that follow belong to it.
  void new_map(const map_header& map) {
    map_ = map;
    map_announced_ = false;
    quota_ = 0;
    if (map.argument_bytes != 0) usual_task_bytes_ = map.argument_bytes;
  }

  /// Where one task is built in place; end_task() sends it. Requires has_room().
  wire::writer& begin_task() {
    announce();
    return building_.emplace(reserved_);
  }
  /// Hands the task back where its argument did not fit.
  std::optional<parked_task> end_task(std::uint64_t ticket) {
    if (building_->in_place()) {
      commit(ticket, 1, building_->size());
      return std::nullopt;
    }
    const auto bytes = building_->bytes();
    parked_task unfit{ticket, 1, {bytes.begin(), bytes.end()}};
    building_.reset(); // a large argument is not to be there twice
    return unfit;
  }

  void drop_task() noexcept { building_.reset(); }

  /// Room for arguments of a few bytes, as many as map_header::argument_bytes says, that go into one frame and have the
  /// tickets from this one on; close_run() sends it. Requires has_room(). Throws: std::bad_alloc.
  argument_run open_run(std::uint64_t ticket, std::size_t depth) {
    constexpr std::size_t longest = 128, runs_in_queue = 64; // the worker says what it has read once a run
    constexpr std::size_t parts_of_queue = 8;                // of what is queued: a short queue is not one frame
    announce();
    outstanding_.begin_run(ticket, reserved_.data(), map_.argument_bytes); // may throw
    const std::size_t most = std::clamp<std::size_t>(depth / runs_in_queue, 1, longest);
    const std::size_t n = std::clamp<std::size_t>(outstanding_.size() / parts_of_queue, 1, most);
    return {reserved_.data(), std::min(n, room_for_tasks(depth))};
  }
  void close_run(std::size_t n) {
    const std::size_t bytes = n * map_.argument_bytes;
    ring_.commit(wire::code(wire::frame_kind::task_run), outstanding_.newest_ticket(), bytes,
                 wire::frame_flags(1, false).bits());
    outstanding_.end_run(n, ring_.position());
    reserved_ = behind_frame(reserved_, bytes);
    quota_ -= std::min(n, quota_);
    unpublished_ = true;
  }

  /// Sends a task that is already encoded. Requires has_room().
  void send(parked_task task) {
    announce();
    const std::size_t bytes = task.argument.size();
    if (bytes <= shm::largest_payload(ring_.capacity())) {
      if (const auto room = ring_.reserve(bytes)) {
        if (bytes != 0) std::memcpy(room->data(), task.argument.data(), bytes);
        reserved_ = *room;
        return commit(task.ticket, task.attempt, bytes);
      }
    }
    outstanding_.push_on_heap(std::move(task), ring_.position());
    sending_ = true;
    quota_ = 0;
    reserved_ = {};
    sent_bytes_ = 0;
    continue_sending();
  }

  /// Goes on with a message that travels in pieces, as far as the ring has room.
  void continue_sending() {
    if (!sending_) return;
    const std::vector<std::byte>& argument = outstanding_.newest_argument();
    if (is_sending_oldest()) reuse_what_was_read();
    const std::size_t largest = shm::largest_payload(ring_.capacity()) / 2;
    while (sent_bytes_ < argument.size()) {
      const std::size_t bytes = std::min(largest, argument.size() - sent_bytes_);
      const auto room = ring_.reserve(bytes);
      if (!room) return;
      std::memcpy(room->data(), argument.data() + sent_bytes_, bytes);
      sent_bytes_ += bytes;
      const bool more = sent_bytes_ < argument.size();
      ring_.commit(wire::code(wire::frame_kind::task), outstanding_.newest_ticket(), bytes,
                   wire::frame_flags(outstanding_.newest_attempt(), more).bits());
      outstanding_.newest_reaches(ring_.position());
      unpublished_ = true;
    }
    sending_ = false;
  }

  /// Takes in how far the worker says it has read its tasks, which matters while a message travels in pieces.
  /// Throws: wire_error where it has not been sent as much.
  void learn_consumed() {
    // acquire: pairs with the release in ring_reader::publish; what is freed is not read any more.
    const std::uint64_t claimed = channel_.status->tasks_consumed.bytes.load(std::memory_order_acquire);
    if (claimed > ring_.position() || claimed % shm::frame_alignment != 0)
      throw wire_error("a worker claims to have read more than it was sent");
    seen_consumed_ = claimed;
  }

  /// Whether the newest task has been sent in part only.
  bool is_sending() const { return sending_; }
  /// Whether there may be room for more of it, since the worker says that it has read on.
  bool may_continue() const {
    return sending_ && channel_.status->tasks_consumed.bytes.load(std::memory_order_relaxed) != seen_consumed_;
  }
  /// Whether the oldest outstanding task has been sent in part only: it cannot have been answered.
  bool is_sending_oldest() const { return sending_ && outstanding_.n_frames() == 1; }

  /// The oldest outstanding tasks, of one frame, have been answered: once all of the frame are, it may be overwritten.
  void answered(std::size_t n = 1) {
    if (outstanding_.n_in_oldest_frame() == n) freed_.bytes.store(outstanding_.ring_end(), std::memory_order_relaxed);
    last_answered_ = outstanding_.ticket() + n;
    outstanding_.pop_front(n);
    n_answered_ += n;
  }
  std::uint64_t n_answered() const { return n_answered_; }       ///< by this worker process
  std::uint64_t last_answered() const { return last_answered_; } ///< ticket + 1; 0: none

  /// Whether something was sent since the last publish().
  bool has_unpublished() const { return unpublished_; }
  /// Makes what was sent visible to the worker. Whether there was anything.
  bool publish() {
    if (!unpublished_) return false;
    unpublished_ = false;
    ring_.publish();
    return true;
  }

  /// All that is not answered, to be sent again.
  std::deque<parked_task> take_all() { return outstanding_.take_all(); }

 private:
  /// Room on the task ring is freed by answers, not by the position the worker claims, because what is unanswered must
  /// be there to be sent again. The exception is a message in pieces, which the host keeps on its heap.
  void reuse_what_was_read() {
    if (seen_consumed_ > freed_.bytes.load(std::memory_order_relaxed))
      freed_.bytes.store(seen_consumed_, std::memory_order_relaxed);
  }

  void announce() {
    if (map_announced_) return;
    std::memcpy(reserved_.data(), &map_, sizeof map_);
    ring_.commit(wire::code(wire::frame_kind::begin_map), 0, sizeof map_);
    map_announced_ = unpublished_ = true;
    reserved_ = *ring_.reserve(usual_task_bytes_);
  }

  /// Requires has_room(). At least 1.
  std::size_t room_for_tasks(std::size_t depth) const {
    return std::max<std::size_t>(
        1, std::min({quota_, depth - outstanding_.size(), reserved_.size() / map_.argument_bytes}));
  }

  bool look_for_room(std::size_t depth) {
    quota_ = 0;
    if (sending_) return false;
    const std::size_t most = is_filling_ ? depth : depth / 2 + 1;
    if (outstanding_.size() >= most) return is_filling_ = false;
    const auto room = ring_.reserve(usual_task_bytes_ + (map_announced_ ? 0 : shm::frame_bytes(sizeof map_)));
    if (!room) return is_filling_ = false;
    reserved_ = *room;
    quota_ = most - outstanding_.size();
    return is_filling_ = true;
  }

  /// What is left for the payload of the next frame behind one with so many bytes of payload.
  static std::span<std::byte> behind_frame(std::span<std::byte> room, std::size_t payload_bytes) {
    const std::size_t taken = shm::frame_bytes(payload_bytes);
    return room.size() >= taken ? room.subspan(taken) : std::span<std::byte>();
  }

  void commit(std::uint64_t ticket, int attempt, std::size_t bytes) {
    outstanding_.push_in_ring(ticket, attempt, 0, reserved_.first(bytes)); // first: it may throw
    ring_.commit(wire::code(wire::frame_kind::task), ticket, bytes, wire::frame_flags(attempt, false).bits());
    outstanding_.newest_reaches(ring_.position());
    reserved_ = behind_frame(reserved_, bytes);
    if (quota_ > 0) --quota_;
    const std::size_t largest_usual = shm::largest_payload(ring_.capacity()) / 2;
    usual_task_bytes_ =
        std::min(std::max<std::size_t>({bytes, usual_task_bytes_ / 2, map_.argument_bytes}), largest_usual);
    unpublished_ = true;
  }

  shm::channel channel_;
  shm::ring_position freed_; ///< how far the task ring may be overwritten
  shm::ring_writer ring_;
  map_header map_{};
  sent_tasks outstanding_;
  std::optional<wire::writer> building_;
  std::span<std::byte> reserved_; ///< room for the payload of the next task; empty where that is not looked for yet
  std::size_t quota_ = 0;         ///< tasks that may be sent before the next look_for_room()
  std::size_t usual_task_bytes_ = 64;
  std::size_t sent_bytes_ = 0;      ///< of the task that is being sent in pieces
  std::uint64_t seen_consumed_ = 0; ///< the worker's last known claim, while a message travels in pieces
  std::uint64_t last_answered_ = 0;
  std::uint64_t n_answered_ = 0;
  bool is_filling_ = true; ///< until there is no room any more
  bool sending_ = false, unpublished_ = false, map_announced_ = false;
};

} // namespace lk::parallel::process
