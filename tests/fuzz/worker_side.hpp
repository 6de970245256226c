// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/process/worker_spec.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/frame.hpp>
#include <lk/parallel/wire/result_run.hpp>
#include <lk/parallel/wire/seal.hpp>

// A worker as the protocol's harness plays it: both rings from the other end, and nothing that waits.

namespace lk::parallel::testing {

/// A frame that is to be sent.
struct outgoing {
  std::uint16_t kind;
  std::uint16_t flags;
  std::uint64_t ticket;
  std::vector<std::byte> payload;
};

/// A task as it arrived.
struct incoming {
  std::uint64_t ticket;
  std::vector<std::byte> argument;
};

class worker_side {
 public:
  explicit worker_side(const shm::channel& channel)
      : channel_(channel)
      , results_(channel.results, channel.status->results_produced, channel.host->results_consumed)
      , tasks_(channel.tasks, channel.host->tasks_produced, channel.status->tasks_consumed) {}

  /// Whether it has written anything that is not so; then what it reads need not be right: the host frees room in the
  /// ring of its tasks by its answers.
  bool lied = false;
  /// Whether it has sent well-formed frames that no task asked for.
  bool talked = false;
  /// Whether it has begun a task and not answered it.
  bool left_one = false;
  /// Which byte of its next result it will change when the host has read it.
  std::optional<std::size_t> tamper_at;
  /// Ticket of the task whose result may go into the run that is open.
  std::uint64_t next_of_run = 0;

  const shm::channel& channel() const { return channel_; }

  /// Puts a frame at the end of what is to be sent.
  void put(outgoing frame) {
    constexpr std::size_t most_waiting = 64;
    if (outbox_.size() < most_waiting) outbox_.push_back(std::move(frame));
    send();
  }

  /// Puts a message, in pieces of at most piece_bytes.
  void put(wire::frame_kind kind, std::uint64_t ticket, std::span<const std::byte> bytes, std::size_t piece_bytes) {
    do {
      const auto piece = bytes.first(std::min(bytes.size(), piece_bytes));
      bytes = bytes.subspan(piece.size());
      put({wire::code(kind), wire::frame_flags(0, !bytes.empty()).bits(), ticket, {piece.begin(), piece.end()}});
    } while (!bytes.empty());
  }

  /// Puts a result into the run that is open, else into a new one, for n results. False where it has to go by a frame
  /// of its own: there is no room, or something waits before it, or it is no result of a run.
  bool put_in_run(std::uint64_t ticket, std::span<const std::byte> result, std::size_t n) {
    if (!send() || result.size() != sizeof(std::uint64_t)) return false;
    if (run_.n_left == 0 && !open_run(ticket, std::min(n, wire::run_state::most_results))) return false;
    std::memcpy(run_.next, result.data(), result.size());
    run_.next += result.size();
    run_.sum.add(result.data(), result.size());
    run_.reached = wire::run_state(run_.reached.n_results() + 1, result.size(), run_.sum.value());
    run_.state->store(run_.reached.word(), std::memory_order_release);
    results_.publish();
    --run_.n_left;
    return true;
  }

  /// The next result does not go into the run that is open.
  void close_run() {
    if (std::exchange(run_.n_left, 0) > 0) run_.state->store(run_.reached.closed().word(), std::memory_order_release);
  }

  /// Sends what the ring has room for. False where something is left.
  bool send() {
    try {
      while (!outbox_.empty() && send(outbox_.front())) {
        last_ = std::move(outbox_.front());
        outbox_.pop_front();
      }
    } catch (const wire_error&) { // its own scribbles have made the host read further than it wrote
      outbox_.clear();
    }
    return outbox_.empty();
  }

  const outgoing& last_sent() const { return last_; }
  /// Where on its ring the header of that frame lies.
  std::size_t last_header() const { return last_header_; }

  /// Takes the oldest task off its ring, if there is one; hears of maps on the way.
  std::optional<incoming> take_task() {
    try {
      while (const auto frame = tasks_.peek()) {
        const auto header = frame->header;
        std::optional<incoming> whole;
        if (header.kind == wire::code(wire::frame_kind::begin_map)) {
          std::memcpy(&map_, frame->payload.data(), sizeof map_);
        } else if (header.kind == wire::code(wire::frame_kind::task_run)) {
          auto one = nth_of_run(*frame, n_taken_of_run_++);
          if (n_taken_of_run_ * map_.argument_bytes < frame->payload.size()) return one;
          n_taken_of_run_ = 0;
          whole = std::move(one);
        } else if (header.kind == wire::code(wire::frame_kind::task)) {
          const auto bytes =
              pieces_.add(header.kind, header.ticket, wire::frame_flags(header.flags).more(), frame->payload);
          if (bytes) whole.emplace(incoming{header.ticket, {bytes->begin(), bytes->end()}});
        }
        tasks_.pop();
        tasks_.publish();
        if (whole) return whole;
      }
    } catch (const wire_error&) {
      if (!lied) throw;
    }
    return std::nullopt;
  }

 private:
  incoming nth_of_run(const shm::frame& frame, std::size_t n) const {
    const auto bytes = frame.payload.subspan(n * map_.argument_bytes, map_.argument_bytes);
    return {frame.header.ticket + n, {bytes.begin(), bytes.end()}};
  }

  bool open_run(std::uint64_t ticket, std::size_t n) {
    const std::size_t bytes = wire::run_state::payload_bytes(n, sizeof(std::uint64_t));
    std::optional<std::span<std::byte>> room;
    try {
      room = results_.reserve(bytes);
    } catch (const wire_error&) { // as in send()
    }
    if (!room) return false;
    const auto sealed = wire::seal_of_run(ticket, bytes);
    last_header_ = static_cast<std::size_t>(room->data() - channel_.results.data()) - sizeof(shm::frame_header);
    results_.commit(wire::code(wire::frame_kind::result_run), sealed.field(), bytes);
    run_ = {.state = &wire::run_state::in(room->data()),
            .next = room->data() + sizeof(std::uint64_t),
            .n_left = n,
            .reached = {},
            .sum = wire::running_checksum(sealed.field())};
    return true;
  }

  /// The one place where a well-formed frame is made, but for runs, as in process/result_sender.hpp.
  bool send(const outgoing& frame) {
    close_run();
    const std::size_t bytes = std::min(frame.payload.size(), shm::largest_payload(results_.capacity()));
    const auto room = results_.reserve(bytes);
    if (!room) return false;
    if (bytes != 0) std::memcpy(room->data(), frame.payload.data(), bytes);
    const auto sealed = wire::seal::on(frame.kind, frame.flags, frame.ticket, room->first(bytes));
    last_header_ = static_cast<std::size_t>(room->data() - channel_.results.data()) - sizeof(shm::frame_header);
    results_.commit(frame.kind, sealed.field(), bytes, frame.flags);
    results_.publish();
    return true;
  }

  shm::channel channel_;
  shm::ring_writer results_;
  shm::ring_reader tasks_;
  wire::assembler pieces_;
  process::map_header map_{};
  std::size_t n_taken_of_run_ = 0; ///< tasks of the run that is the oldest frame
  struct run {
    std::atomic<std::uint64_t>* state = nullptr;
    std::byte* next = nullptr;
    std::size_t n_left = 0;
    wire::run_state reached;
    wire::running_checksum sum;
  };
  run run_; ///< of results, that is open
  std::deque<outgoing> outbox_;
  std::size_t last_header_ = 0;
  outgoing last_{wire::code(wire::frame_kind::ready), 0, 0, {}};
};

} // namespace lk::parallel::testing
