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
#include <lk/parallel/report/log_replay.hpp>
#include <lk/parallel/wire/cursor.hpp>
#include <lk/parallel/wire/failure.hpp>
#include <lk/parallel/wire/frame.hpp>

// What the workers' messages mean to the host: each is held against the host's own record of what the worker was given,
// and then passed on. Cannot be made to pass on an answer twice, or for a task that the worker does not have.

namespace lk::parallel::process {

/// Where answers go: called from pump(), once per task, with the task's position in its map.
class answer_sink {
 public:
  virtual void on_result(std::uint64_t index, int worker, std::span<const std::byte> encoded) = 0;
  virtual void on_failure(std::uint64_t index, int worker, task_stage stage, const wire::failure& what) = 0;
  virtual void on_loss(std::uint64_t index, std::exception_ptr what) = 0;

 protected:
  ~answer_sink() = default;
};

class answers {
 public:
  explicit answers(dispatcher& tasks) : tasks_(tasks) {}

  /// One whole message of a worker. Throws: wire_error where it cannot be true.
  void take(worker_slot& slot, int worker, const wire::message& message, answer_sink& sink) {
    switch (message.kind) {
    case wire::frame_kind::log_record:
      return replay(slot, message.bytes);
    case wire::frame_kind::ready:
      return;
    case wire::frame_kind::init_failed:
      return remember_init_failure(worker, message.bytes);
    case wire::frame_kind::result:
    case wire::frame_kind::failure:
    case wire::frame_kind::skipped:
      break;
    default:
      throw wire_error("a worker sent a frame of an unknown kind");
    }
    if (slot.outstanding().empty() || slot.outstanding().front().ticket != message.ticket)
      throw wire_error("a worker answered a task that it was not given");
    const bool is_wanted = tasks_.is_wanted(message.ticket);
    if (is_wanted && message.kind == wire::frame_kind::skipped)
      throw wire_error("a worker left out a task that is still wanted");
    ++n_taken_;
    const std::uint64_t index = tasks_.index_of(message.ticket);
    if (is_wanted && message.kind == wire::frame_kind::failure) return take_failure(slot, worker, index, message, sink);
    slot.answered(); // before the sink, which may throw
    if (is_wanted) sink.on_result(index, worker, message.bytes);
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
  void take_failure(worker_slot& slot, int worker, std::uint64_t index, const wire::message& message,
                    answer_sink& sink) {
    wire::reader reader(message.bytes);
    const auto stage = static_cast<task_stage>(reader.get<std::int32_t>());
    if (stage < task_stage::encode_argument || stage > task_stage::decode_result)
      throw wire_error("a worker reported a failure in an unknown stage");
    const wire::failure what = wire::decode_failure(reader);
    slot.answered();
    sink.on_failure(index, worker, stage, what);
  }

  static void replay(worker_slot& slot, std::span<const std::byte> bytes) {
    const auto record = report::decode_log_record(bytes);
    slot.remember_log_line(record.text);
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
