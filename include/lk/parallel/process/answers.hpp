// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/process/dispatcher.hpp>
#include <lk/parallel/process/worker_slot.hpp>
#include <lk/parallel/report/library_log.hpp>
#include <lk/parallel/report/log_replay.hpp>
#include <lk/parallel/report/progress.hpp>
#include <lk/parallel/wire/cursor.hpp>
#include <lk/parallel/wire/failure.hpp>
#include <lk/parallel/wire/frame.hpp>

// What the workers' messages mean to the host: each is held against the host's own record of what the worker was given,
// and then passed on. Cannot be made to pass on an answer twice, or for a task that the worker does not have.

namespace lk::parallel::process {

/// Where answers go: called from pump(), once per task, with the task's position in its map.
class answer_sink {
 public:
  /// Calls message.require_intact() between decoding the result and believing it; what that throws comes out.
  virtual void on_result(std::uint64_t index, int worker, const wire::message& message) = 0;
  virtual void on_failure(std::uint64_t index, int worker, task_stage stage, const wire::failure& what) = 0;
  virtual void on_loss(std::uint64_t index, std::exception_ptr what) = 0;
  /// Whether further results had better stay on the rings for now.
  virtual bool has_enough() const { return false; }
  /// Whether results may wait on the rings until those of all tasks before theirs are here.
  virtual bool takes_in_order() const { return false; }

 protected:
  ~answer_sink() = default;
};

class answers {
 public:
  explicit answers(dispatcher& tasks) : tasks_(tasks) {}

  /// One whole message of a worker. Throws: wire_error where it cannot be true.
  template <class Sink>
  [[gnu::always_inline]] void take(worker_slot& slot, int worker, const wire::message& message, Sink& sink) {
    if (message.kind != wire::frame_kind::result && !is_answer(slot, worker, message)) return;
    if (!slot.has_tasks() || static_cast<std::uint32_t>(slot.outstanding().ticket()) != message.ticket())
      throw wire_error("a worker answered a task that it was not given");
    if (slot.tasks().is_sending_oldest()) throw wire_error("a worker answered a task before it had all of it");
    const std::uint64_t ticket = slot.outstanding().ticket();
    if (tasks_.is_wanted(ticket)) {
      const std::uint64_t index = tasks_.index_of(ticket);
      if (message.kind == wire::frame_kind::result)
        sink.on_result(index, worker, message);
      else if (message.kind == wire::frame_kind::failure)
        take_failure(worker, index, message, sink);
      else
        throw wire_error("a worker left out a task that is still wanted");
    }
    slot.learn_result_bytes(message.bytes.size());
    slot.tasks().answered();
    ++n_taken_;
  }

  /// Results of a T that come next from this worker, at most `most`; fn(index, value) gets each. Returns their number.
  /// Whatever else comes is for take(). Throws: wire_error.
  template <class T, class Fn>
  [[gnu::always_inline]] std::size_t take_results(worker_slot& slot, std::size_t most, Fn&& fn) {
    const std::uint64_t first = tasks_.first_wanted();
    const std::size_t n = slot.take_results<T>(
        most, first, [&](std::uint64_t ticket, const T& value) { fn(tasks_.index_of(ticket), value); });
    n_taken_ += n;
    return n;
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

  /// A worker whose worker_init threw, and what; told once.
  std::optional<std::pair<int, std::string>> take_init_failure() { return std::exchange(init_failure_, std::nullopt); }

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

  static void take_failure(int worker, std::uint64_t index, const wire::message& message, answer_sink& sink) {
    wire::reader reader(message.bytes);
    const auto stage = static_cast<task_stage>(reader.get<std::int32_t>());
    if (stage < task_stage::encode_argument || stage > task_stage::decode_result)
      throw wire_error("a worker reported a failure in an unknown stage");
    const wire::failure what = wire::decode_failure(reader);
    message.require_intact();
    sink.on_failure(index, worker, stage, what);
  }

  static void tell_dropped(int worker, std::span<const std::byte> bytes) {
    report::library_logger()->warn(
        "worker {}: {} log lines below level warning were dropped, because the host was busy "
        "elsewhere and took none; take results faster, or log less",
        worker, wire::reader(bytes).get<std::uint64_t>());
  }

  static void replay(worker_slot& slot, std::span<const std::byte> bytes) {
    const auto record = report::decode_log_record(bytes);
    slot.log().remember(record.text);
    report::replay(record);
  }

  void remember_init_failure(int worker, std::span<const std::byte> bytes) {
    wire::reader reader(bytes);
    const auto what = wire::decode_failure(reader);
    init_failure_ = std::make_pair(worker, what.type_name + ": " + what.message);
  }

  dispatcher& tasks_;
  std::uint64_t n_taken_ = 0;
  std::optional<std::pair<int, std::string>> init_failure_;
};

} // namespace lk::parallel::process
