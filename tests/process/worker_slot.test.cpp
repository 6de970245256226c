// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <lk/parallel/process/dispatcher.hpp>
#include <lk/parallel/process/sent_tasks.hpp>
#include <lk/parallel/process/worker_slot.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/cursor.hpp>
#include <lk/parallel/wire/frame.hpp>

using namespace lk::parallel;
using process::slot_state;
using process::worker_slot;

namespace {

constexpr std::size_t ring_bytes = 16 << 10;

/// A dispatcher whose one worker is played by the test.
struct one_worker {
  shm::pool_memory memory{1, ring_bytes, ring_bytes};
  process::dispatcher tasks{memory};
  worker_slot& slot = tasks.slot(0);
  shm::ring_reader reader{memory.at(0).tasks, memory.at(0).host->tasks_produced, memory.at(0).status->tasks_consumed};

  one_worker() {
    slot.state = slot_state::running;
    tasks.begin_map({.argument_bytes = sizeof(int)});
  }

  /// As many short tasks as there is room for, at most n; the arguments count from 0. Returns their number.
  int fill(int n) {
    int sent = 0;
    while (sent < n && tasks.has_room()) {
      auto run = tasks.open_run();
      const int in_run = std::min(n - sent, static_cast<int>(run.n_left));
      for (int i = 0; i < in_run; ++i, ++sent, run.next += sizeof sent) std::memcpy(run.next, &sent, sizeof sent);
      tasks.close_run(static_cast<std::size_t>(in_run));
    }
    return sent;
  }
  void submit_run(int n) { REQUIRE(fill(n) == n); }
  /// As of a worker that is known to do a task in a nanosecond.
  void become_fast() {
    memory.at(0).status->add_work(1000, std::chrono::microseconds(1));
    slot.learn_depth();
  }
  /// The frames of tasks that the worker finds and has not read yet.
  std::vector<shm::frame> read_frames() {
    std::vector<shm::frame> frames;
    while (const auto frame = reader.peek()) {
      if (frame->header.kind != wire::code(wire::frame_kind::begin_map)) frames.push_back(*frame);
      reader.pop();
    }
    return frames;
  }

  void submit(std::size_t bytes) {
    REQUIRE(tasks.has_room());
    const std::vector<std::byte> argument(bytes);
    tasks.begin_task().write(argument.data(), argument.size());
    tasks.end_task();
  }
  void say_consumed(std::uint64_t position) { memory.at(0).status->tasks_consumed.bytes = position; }
};

} // namespace

TEST_CASE("a host need not stay awake for a message in pieces of which the worker takes nothing") {
  one_worker the;
  the.submit(4 * ring_bytes);
  the.tasks.publish();
  REQUIRE(!the.slot.is_pressing());
  const std::uint64_t sent = the.memory.at(0).host->tasks_produced.bytes;
  REQUIRE(sent > 0);
  the.say_consumed(sent); // there is room for the next piece
  REQUIRE(the.slot.is_pressing());
  the.slot.tasks().learn_consumed();
  the.tasks.send_parked();
  the.tasks.publish();
  REQUIRE(the.memory.at(0).host->tasks_produced.bytes > sent);
  REQUIRE(!the.slot.is_pressing());
}

TEST_CASE("a worker is asked for word at half of its tasks, and at anything where it has none") {
  one_worker the;
  const auto& refill_at = the.memory.at(0).host->refill_at;
  the.slot.ask_for_word();
  REQUIRE(refill_at == 0);
  the.submit(8);
  const auto& outstanding = the.slot.outstanding();
  the.submit(8);
  the.slot.ask_for_word();
  REQUIRE(outstanding.size() == 2);
  REQUIRE(refill_at == outstanding.ring_end());
}

TEST_CASE("a full queue has no room until half of it is answered") {
  one_worker the;
  while (the.slot.has_room()) the.submit(8);
  const std::size_t depth = the.slot.outstanding().size();
  REQUIRE(depth == the.slot.depth());
  the.slot.tasks().answered();
  REQUIRE(the.slot.has_room() == (depth - 1 <= depth / 2));
  while (the.slot.outstanding().size() > depth / 2) the.slot.tasks().answered();
  REQUIRE(the.slot.has_room());
}

TEST_CASE("a task whose argument could not be written is not sent, and its number is used up") {
  one_worker the;
  REQUIRE(the.tasks.has_room());
  const std::vector<std::byte> large(4 * ring_bytes);
  the.tasks.begin_task().write(large.data(), large.size());
  the.tasks.drop_task();
  the.submit(8);
  the.tasks.publish();
  const auto frames = the.read_frames();
  REQUIRE(frames.size() == 1);
  REQUIRE(frames[0].payload.size() == 8);
  REQUIRE(frames[0].header.ticket == 1);
  REQUIRE(the.slot.outstanding().size() == 1);
}

TEST_CASE("a slow worker gets each task in a frame of its own") {
  one_worker the;
  the.submit_run(2);
  the.tasks.publish();
  const auto frames = the.read_frames();
  REQUIRE(frames.size() == 2);
  REQUIRE(frames[0].payload.size() == sizeof(int));
  REQUIRE(frames[1].header.ticket == 1);
}

TEST_CASE("a fast worker gets short tasks many in a frame, none of them twice, and none in two") {
  one_worker the;
  the.become_fast();
  the.submit_run(300);
  the.tasks.publish();
  const auto frames = the.read_frames();
  REQUIRE(frames.size() < 60); // a queue that has just begun is not one frame
  std::uint64_t ticket = 0;
  for (const shm::frame& frame : frames) {
    REQUIRE(frame.header.kind == wire::code(wire::frame_kind::task_run));
    REQUIRE(frame.header.ticket == ticket);
    REQUIRE(frame.payload.size() % sizeof(int) == 0);
    for (std::size_t at = 0; at < frame.payload.size(); at += sizeof(int)) {
      int argument = 0;
      std::memcpy(&argument, frame.payload.data() + at, sizeof argument);
      REQUIRE(argument == static_cast<int>(ticket++));
    }
  }
  REQUIRE(ticket == 300);
}

TEST_CASE("a worker whose tasks become slow gets no more of them at once, whatever it was to have before") {
  one_worker the;
  the.become_fast();
  the.submit_run(100);
  REQUIRE(the.tasks.has_room());
  for (int times = 0; times < 100 && the.slot.depth() > 2; ++times) {
    the.memory.at(0).status->add_work(1, std::chrono::seconds(1));
    the.slot.learn_depth();
  }
  REQUIRE(the.slot.depth() == 2);
  REQUIRE(!the.tasks.has_room());
}

TEST_CASE("what a dead worker had not answered of a frame with many tasks comes back task by task") {
  one_worker the;
  the.become_fast();
  the.submit_run(300);
  the.tasks.publish();
  for (int i = 0; i < 200; ++i) the.slot.tasks().answered();
  REQUIRE(the.slot.outstanding().n_in_oldest_frame() > 2);
  the.slot.tasks().answered(2);
  const auto unanswered = the.slot.clear();
  REQUIRE(unanswered.size() == 98);
  for (std::size_t i = 0; i < unanswered.size(); ++i) {
    REQUIRE(unanswered[i].ticket == 202 + i);
    REQUIRE(unanswered[i].attempt == 1);
    int argument = 0;
    REQUIRE(unanswered[i].argument.size() == sizeof argument);
    std::memcpy(&argument, unanswered[i].argument.data(), sizeof argument);
    REQUIRE(argument == static_cast<int>(202 + i));
  }
}

TEST_CASE("the room of a frame with many tasks is free when the last of them is answered") {
  one_worker the;
  the.become_fast();
  const auto n_sent = static_cast<std::size_t>(the.fill(INT_MAX));
  the.tasks.publish();
  REQUIRE(n_sent > ring_bytes / 2 / sizeof(int)); // the ring is full
  while (the.slot.outstanding().n_in_oldest_frame() == 1) the.slot.tasks().answered();
  the.fill(INT_MAX);
  the.tasks.publish();
  REQUIRE(the.slot.depth() > n_sent);
  the.slot.tasks().answered(the.slot.outstanding().n_in_oldest_frame() - 1);
  REQUIRE(!the.tasks.has_room());
  the.slot.tasks().answered();
  REQUIRE(the.tasks.has_room());
}

TEST_CASE("tasks that were sent know their ticket and the end of their frame, alone or many in a frame") {
  process::sent_tasks sent;
  sent.push_in_ring(5, 1, 100, {});
  const std::vector<std::byte> arguments(4 * 4);
  sent.begin_run(10, arguments.data(), 4);
  sent.end_run(4, 200);
  sent.push_on_heap({20, 2, std::vector<std::byte>(3)}, 300);
  const std::vector<std::uint64_t> tickets{5, 10, 11, 12, 13, 20}, ends{100, 200, 200, 200, 200, 300};
  for (std::size_t gone = 0; gone < tickets.size(); ++gone) {
    REQUIRE(sent.size() == tickets.size() - gone);
    for (std::size_t i = 0; i < sent.size(); ++i) {
      REQUIRE(sent.ticket(i) == tickets[gone + i]);
      REQUIRE(sent.ring_end(i) == ends[gone + i]);
    }
    sent.pop_front();
  }
  REQUIRE(sent.empty());
}
