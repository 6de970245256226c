// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

#include <lk/parallel/process/dispatcher.hpp>
#include <lk/parallel/process/worker_slot.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/cursor.hpp>

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

  one_worker() {
    slot.state = slot_state::running;
    tasks.begin_map(nullptr, 0);
  }

  void submit(std::size_t bytes) {
    REQUIRE(tasks.has_room());
    const std::vector<std::byte> argument(bytes);
    tasks.submit([&](wire::writer& out) { out.write(argument.data(), argument.size()); });
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
  the.slot.learn_consumed();
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
  REQUIRE(refill_at == outstanding.front().ring_end);
}

TEST_CASE("a full queue has no room until half of it is answered") {
  one_worker the;
  while (the.slot.has_room()) the.submit(8);
  const std::size_t depth = the.slot.outstanding().size();
  REQUIRE(depth == the.slot.depth());
  the.slot.answered();
  REQUIRE(the.slot.has_room() == (depth - 1 <= depth / 2));
  while (the.slot.outstanding().size() > depth / 2) the.slot.answered();
  REQUIRE(the.slot.has_room());
}
