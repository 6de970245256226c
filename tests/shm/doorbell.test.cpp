// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/in_child.hpp"

#include <poll.h>

#include <thread>

#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/shm/doorbell.hpp>

using namespace lk::parallel;

TEST_CASE("a futex bell wakes a process that maps it read-only") {
  const shm::segment memory(shm::page_bytes());
  auto& bell = *new (memory.bytes().data()) shm::futex_bell;
  REQUIRE(testing::in_child([&] {
            const auto seen = bell.state();
            std::thread other([&] { bell.ring(); }); // the mapping is still writable for the one who rings
            bell.wait(seen);
            other.join();
            shm::make_read_only(memory.bytes());
            bell.wait(seen); // rung since: returns at once
            return bell.state() == seen + 1 ? 0 : 1;
          }) == testing::exited(0));
}

TEST_CASE("a sleeper on a read-only bell is woken by another process") {
  const shm::pool_memory memory(1, 4096, 4096);
  const auto channel = memory.at(0);
  auto& awake = channel.status->tasks_consumed.bytes;
  std::jthread ringer([&](std::stop_token stop) {
    while (!stop.stop_requested()) { // rings until the sleeper has said that it woke
      channel.host->bell.ring();
      std::this_thread::yield();
    }
  });
  const auto result = testing::in_child([&] {
    memory.keep_only(0);
    for (int round = 0; round < 1000; ++round) channel.host->bell.wait(channel.host->bell.state());
    awake.store(1);
    return 0;
  });
  ringer.request_stop();
  ringer.join();
  REQUIRE(result == testing::exited(0));
  REQUIRE(awake.load() == 1);
}

TEST_CASE("an event bell rings until it is silenced, however often it was rung") {
  const shm::event_bell bell;
  const auto rings = [&] {
    pollfd watched{bell.fd(), POLLIN, 0};
    return ::poll(&watched, 1, 0) == 1;
  };
  REQUIRE(!rings());
  for (int i = 0; i < 3; ++i) bell.ring();
  REQUIRE(rings());
  bell.silence();
  REQUIRE(!rings());
  bell.silence(); // silencing a silent bell does not wait
}
