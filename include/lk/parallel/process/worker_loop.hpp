// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <span>

#include <cxxabi.h>
#include <sched.h>

#include <lk/parallel/base/fault_point.hpp>
#include <lk/parallel/base/spin.hpp>
#include <lk/parallel/process/printed_output.hpp>
#include <lk/parallel/process/result_sender.hpp>
#include <lk/parallel/process/worker_spec.hpp>
#include <lk/parallel/report/progress_relay.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/failure.hpp>
#include <lk/parallel/wire/frame.hpp>

// What a worker does all its life: take a task from its ring, run it, put the result on the other ring. Deals in
// bytes; the typed code comes in as a task_entry. A task is popped only when it is finished, so until then the host
// finds it unharmed in memory that only the host can write, and can give it to somebody else.

namespace lk::parallel::process {

class worker_loop {
 public:
  worker_loop(int worker, const shm::channel& channel, result_sender& sender, void* function_state)
      : worker_(worker)
      , channel_(channel)
      , sender_(sender)
      , function_state_(function_state)
      , ring_(channel.tasks, channel.host->tasks_produced, channel.status->tasks_consumed) {}

  /// Blocks: until the host says stop.
  void run() {
    sender_.favour_this_thread();
    while (!told_to_stop()) {
      if (const auto frame = ring_.peek())
        take(*frame);
      else
        rest();
    }
  }

 private:
  using clock = std::chrono::steady_clock;

  bool told_to_stop() const { return channel_.host->stop.load(std::memory_order_relaxed) != 0; }

  void take(const shm::frame& frame) {
    const wire::frame_flags flags(frame.header.flags);
    if (frame.header.kind == wire::code(wire::frame_kind::begin_map)) {
      std::memcpy(&map_, frame.payload.data(), sizeof map_);
    } else if (frame.header.kind == wire::code(wire::frame_kind::task_run)) {
      run_all(frame.header.ticket, frame.payload);
    } else {
      const auto message = pieces_.add(frame.header.kind, frame.header.ticket, flags.more(), frame.payload);
      if (message) run_task(frame.header.ticket, flags.attempt(), *message);
      pieces_.release(); // not at the next message only: that may never come
    }
    ring_.pop();
    ring_.publish();
    sender_.tell_host(ring_.position());
  }

  /// Tasks with consecutive tickets, whose arguments lie one after the other.
  void run_all(std::uint64_t ticket, std::span<const std::byte> arguments) {
    const std::size_t bytes_each = map_.argument_bytes;
    if (bytes_each == 0) return;
    for (std::size_t n_left = arguments.size() / bytes_each; n_left > 0 && !told_to_stop(); --n_left, ++ticket) {
      run_task(ticket, 1, arguments.first(bytes_each), n_left);
      arguments = arguments.subspan(bytes_each);
    }
  }

  /// n_in_run: how many tasks with the next tickets come from here on, this one included; 0: that is not known.
  void run_task(std::uint64_t ticket, int attempt, std::span<const std::byte> argument, std::size_t n_in_run = 0) {
    alignas(std::max_align_t) std::byte plain_result[most_plain_bytes];
    channel_.status->attempt_started(ticket);
    LK_PARALLEL_FAULT_POINT("task_started");
    running_task task{ticket - map_.first_ticket,
                      map_.seed,
                      attempt,
                      worker_,
                      &channel_.host->first_live_ticket,
                      ticket,
                      wire::reader(argument),
                      &sender_,
                      n_in_run != 0 && map_.result_bytes != 0 ? plain_result : nullptr};
    if (task.abandoned())
      sender_.send(wire::frame_kind::skipped, ticket, {});
    else
      call(task, n_in_run);
    LK_PARALLEL_FAULT_POINT("task_answered");
    channel_.status->attempt_ended();
    keep_time();
  }

  void call(running_task& task, std::size_t n_in_run) {
    if (busy_since_ == clock::time_point{}) busy_since_ = clock::now();
    try {
      map_.entry(function_state_, task);
      show_printed_output();
      if (task.plain_result != nullptr)
        sender_.send_in_run(task.ticket, {task.plain_result, map_.result_bytes}, n_in_run);
      else
        sender_.commit(wire::frame_kind::result, task.ticket);
    } catch (const std::exception&) {
      report_failure(task, std::current_exception());
    } catch (abi::__forced_unwind&) {
      throw; // pthread_exit or pthread_cancel: cannot be stopped, only followed
    } catch (...) {
      report_failure(task, std::current_exception());
    }
  }

  void report_failure(const running_task& task, std::exception_ptr thrown) {
    sender_.forget();
    report::progress_relay::flush();
    show_printed_output();
    wire::writer message;
    message.put(static_cast<std::int32_t>(task.stage));
    wire::encode_failure(wire::describe(std::move(thrown)), message);
    sender_.send(wire::frame_kind::failure, task.ticket, message.bytes());
  }

  /// Nothing to do: look again for a moment, then sleep until the host rings.
  void rest() {
    note_time();
    busy_since_ = {};
    if (base::spin_until([&] { return ring_.has_frames() || told_to_stop(); })) return;
    channel_.status->slept_on.store(::sched_getcpu(), std::memory_order_relaxed);
    const auto seen = channel_.host->bell.state();
    channel_.status->sleep_begins(false);
    LK_PARALLEL_FAULT_POINT("waiting_for_task");
    if (!ring_.has_frames() && !told_to_stop()) channel_.host->bell.wait(seen);
    channel_.status->sleep_ended(false);
  }

  /// Reading the clock for every task would cost more than a small task does.
  void keep_time() {
    constexpr int tasks_per_reading = 16;
    if (++tasks_since_reading_ >= tasks_per_reading) note_time();
  }

  void note_time() {
    if (tasks_since_reading_ == 0 || busy_since_ == clock::time_point{}) return;
    const auto now = clock::now();
    channel_.status->add_work(tasks_since_reading_, now - busy_since_);
    busy_since_ = now;
    tasks_since_reading_ = 0;
  }

  int worker_;
  shm::channel channel_;
  result_sender& sender_;
  void* function_state_;
  shm::ring_reader ring_;
  wire::assembler pieces_;
  map_header map_{};
  clock::time_point busy_since_{};
  int tasks_since_reading_ = 0;
};

} // namespace lk::parallel::process
