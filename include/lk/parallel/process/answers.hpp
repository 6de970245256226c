// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <utility>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/process/dispatcher.hpp>
#include <lk/parallel/process/loss.hpp>
#include <lk/parallel/process/pool.hpp>
#include <lk/parallel/process/worker_slot.hpp>
#include <lk/parallel/report/library_log.hpp>
#include <lk/parallel/report/log_replay.hpp>
#include <lk/parallel/report/progress_keeper.hpp>
#include <lk/parallel/wire/cursor.hpp>
#include <lk/parallel/wire/failure.hpp>
#include <lk/parallel/wire/frame.hpp>

// What the workers' messages mean to the host: each is held against the host's own record of what the worker was given,
// and then passed on. Cannot be made to pass on an answer twice, or for a task that the worker does not have.

namespace lk::parallel::process {

class answers {
 public:
  explicit answers(dispatcher& tasks) : tasks_(tasks) {}

  /// One whole message of a worker. Throws: wire_error where it cannot be true.
  void take(worker_slot& slot, int worker, const wire::message& message, answer_sink& sink) {
    if (message.kind != wire::frame_kind::result && !is_answer(slot, worker, message)) return;
    if (!slot.has_tasks() || static_cast<std::uint32_t>(slot.outstanding().ticket()) != message.ticket())
      throw wire_error("a worker answered a task that it was not given");
    if (slot.tasks().is_sending_oldest()) throw wire_error("a worker answered a task before it had all of it");
    try {
      hand_over(slot.outstanding().ticket(), worker, message, sink);
    } catch (const wire_error&) { // it is no answer
      throw;
    } catch (...) { // it is one, whatever the sink makes of it
      note_answer(slot, message.bytes.size());
      throw;
    }
    note_answer(slot, message.bytes.size());
  }

  /// Results of so many bytes that come next from this worker, a few dozen at most. Whether there was one. Whatever
  /// else comes is for take(). Throws: wire_error.
  bool take_results(worker_slot& slot, std::size_t bytes_each, answer_sink& sink) {
    constexpr std::size_t most = 64; // the sink may have enough then
    alignas(64) std::byte results[most * most_plain_bytes];
    const std::uint64_t ticket = slot.has_tasks() ? slot.outstanding().ticket() : 0;
    const std::size_t n = slot.take_results(bytes_each, tasks_.first_wanted(), std::span(results, most * bytes_each));
    if (n == 0) return false;
    n_taken_ += n;
    sink.on_plain_results(tasks_.index_of(ticket), n, results);
    return true;
  }

  void take_last_words(worker_slot& slot) noexcept {
    try {
      while (slot.next_message([](const wire::message& message) {
        if (message.kind == wire::frame_kind::log_record) report::replay(message.bytes);
      })) {
      }
    } catch (...) { // of no interest any more
    }
  }

  /// Of tasks, since the pool began.
  std::uint64_t n_taken() const { return n_taken_; }

  /// worker_lost for a worker whose worker_init threw; null: there is none. Told once.
  std::exception_ptr take_init_failure() { return std::exchange(init_failure_, nullptr); }

 private:
  /// Whether it is about a task; what is not, is taken in here.
  bool is_answer(worker_slot& slot, int worker, const wire::message& message) {
    switch (message.kind) {
    case wire::frame_kind::log_record:
      replay(slot, message.bytes);
      return false;
    case wire::frame_kind::progress:
      report::apply_progress_change(message.bytes);
      return false;
    case wire::frame_kind::log_dropped:
      tell_dropped(worker, message.bytes);
      return false;
    case wire::frame_kind::ready:
      return false;
    case wire::frame_kind::init_failed:
      remember_init_failure(worker, message.bytes);
      return false;
    case wire::frame_kind::result:
    case wire::frame_kind::failure:
    case wire::frame_kind::skipped:
      return true;
    default:
      throw wire_error("a worker sent a frame of an unknown kind");
    }
  }

  void hand_over(std::uint64_t ticket, int worker, const wire::message& message, answer_sink& sink) {
    if (!tasks_.is_wanted(ticket)) return;
    const std::uint64_t index = tasks_.index_of(ticket);
    if (message.kind == wire::frame_kind::result)
      sink.on_result(index, worker, message);
    else if (message.kind == wire::frame_kind::failure)
      take_failure(worker, index, message, sink);
    else
      throw wire_error("a worker left out a task that is still wanted");
  }

  void note_answer(worker_slot& slot, std::size_t bytes) {
    slot.learn_result_bytes(bytes);
    slot.tasks().answered();
    ++n_taken_;
  }

  static void take_failure(int worker, std::uint64_t index, const wire::message& message, answer_sink& sink) {
    wire::reader reader(message.bytes);
    const auto stage = static_cast<task_stage>(reader.get<std::int32_t>());
    if (stage < task_stage::encode_argument || stage > task_stage::decode_result)
      throw wire_error("a worker reported a failure in an unknown stage");
    const wire::failure what = wire::decode_failure(reader);
    message.require_intact();
    sink.on_error(index, wire::error_of_task(what, index, worker, stage));
  }

  static void tell_dropped(int worker, std::span<const std::byte> bytes) {
    report::warn("worker " + std::to_string(worker) + ": " + std::to_string(wire::reader(bytes).get<std::uint64_t>()) +
                 " log lines below level warning were dropped, because the host was busy "
                 "elsewhere and took none; take results faster, or log less");
  }

  static void replay(worker_slot& slot, std::span<const std::byte> bytes) {
    const auto record = report::decode_log_record(bytes);
    slot.log().remember(record.text);
    report::replay(record);
  }

  void remember_init_failure(int worker, std::span<const std::byte> bytes) {
    wire::reader reader(bytes);
    init_failure_ = init_failed(worker, wire::decode_failure(reader));
  }

  dispatcher& tasks_;
  std::uint64_t n_taken_ = 0;
  std::exception_ptr init_failure_;
};

} // namespace lk::parallel::process
