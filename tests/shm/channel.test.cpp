// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/in_child.hpp"

#include <csignal>
#include <cstddef>
#include <functional>

#include <lk/parallel/shm/channel.hpp>

using namespace lk::parallel;
using lk::parallel::testing::exited;
using lk::parallel::testing::in_child;

namespace {

/// How a worker ends that does this after it has given up its rights.
testing::child_result as_worker_1(const shm::pool_memory& memory, const std::function<void()>& deed) {
  return in_child([&] {
    ::signal(SIGSEGV, [](int) { ::_exit(42); });
    memory.keep_only(1);
    deed();
    return 0;
  });
}

void scribble(std::byte* at) { *static_cast<volatile std::byte*>(at) = std::byte{1}; }

} // namespace

TEST_CASE("a worker can write its status line and its result ring and nothing else") {
  const shm::pool_memory memory(3, 1 << 16, 1 << 16);
  const auto own = memory.at(1);
  REQUIRE(as_worker_1(memory, [&] { scribble(own.results.data()); }) == exited(0));
  REQUIRE(as_worker_1(memory, [&] { scribble(&own.results.back()); }) == exited(0));
  REQUIRE(as_worker_1(memory, [&] { own.status->started = 1; }) == exited(0));
  REQUIRE(as_worker_1(memory, [&] { scribble(own.tasks.data()); }) == exited(42));
  REQUIRE(as_worker_1(memory, [&] { own.host->stop = 1; }) == exited(42));
  REQUIRE(as_worker_1(memory, [&] { memory.page().host_sleeps = 1; }) == exited(42));
}

TEST_CASE("a worker can read its tasks and the host's lines") {
  const shm::pool_memory memory(3, 1 << 16, 1 << 16);
  const auto own = memory.at(1);
  own.tasks[5] = std::byte{7};
  REQUIRE(as_worker_1(memory, [&] {
            if (own.tasks[5] != std::byte{7} || own.host->stop != 0 || memory.page().host_sleeps != 0) ::_exit(1);
          }) == exited(0));
}

TEST_CASE("another worker's channel does not exist for a worker") {
  const shm::pool_memory memory(3, 1 << 16, 1 << 16);
  for (const int other : {0, 2}) {
    const auto theirs = memory.at(other);
    for (std::byte* const place : {theirs.tasks.data(), theirs.results.data(), &theirs.results.back(),
                                   reinterpret_cast<std::byte*>(theirs.status)})
      REQUIRE(as_worker_1(memory, [&] { (void)*static_cast<volatile std::byte*>(place); }) == exited(42));
  }
}

TEST_CASE("later children of the host do not get the memory of a pool") {
  const shm::pool_memory memory(1, 4096, 4096);
  memory.hide_from_later_children();
  REQUIRE(in_child([&] {
            ::signal(SIGSEGV, [](int) { ::_exit(42); });
            return static_cast<int>(memory.page().host_sleeps.load());
          }) == exited(42));
}
