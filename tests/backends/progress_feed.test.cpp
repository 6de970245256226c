// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <memory>
#include <vector>

#include <lk/parallel/backends/progress_feed.hpp>

using namespace lk::parallel;

namespace {

struct recorder final : Progress {
  recorder() : Progress("test", std::nullopt, "task") {}
  ~recorder() override { finish(); }
  void show(const report::progress_snapshot& now) override { last = now; }
  report::progress_snapshot last;
};

} // namespace

TEST_CASE("what a map tells of its progress always adds up") {
  const auto seen = std::make_shared<recorder>();
  backends::progress_feed feed(seen);
  const auto count = [&](progress_state state) { return seen->last.count(state); };
  for (int i = 0; i < 10; ++i) feed.dispatched();
  feed.tell(2);
  REQUIRE(count(progress_state::dispatched) == 8);
  REQUIRE(count(progress_state::in_progress) == 2);
  for (int i = 0; i < 5; ++i) feed.done(i != 0);
  feed.tell(2);
  REQUIRE(count(progress_state::finished) == 4);
  REQUIRE(count(progress_state::failed) == 1);
  REQUIRE(count(progress_state::in_progress) == 2);
  REQUIRE(count(progress_state::dispatched) == 3);
  for (int i = 0; i < 5; ++i) feed.done(true);
  feed.tell(0);
  REQUIRE(count(progress_state::finished) == 9);
  REQUIRE(count(progress_state::failed) == 1);
  REQUIRE(count(progress_state::in_progress) == 0);
  REQUIRE(count(progress_state::dispatched) == 0);
}

TEST_CASE("a map without a progress object tells nobody") {
  backends::progress_feed feed(nullptr);
  feed.dispatched();
  feed.done(true);
  feed.tell(1);
  SUCCEED();
}

TEST_CASE("what a map leaves unfinished is in progress no more when it ends") {
  const auto seen = std::make_shared<recorder>();
  backends::progress_feed feed(seen);
  for (int i = 0; i < 10; ++i) feed.dispatched();
  feed.tell(4);
  feed.done(true);
  feed.done(false);
  feed.end();
  REQUIRE(seen->last.count(progress_state::in_progress) == 0);
  REQUIRE(seen->last.count(progress_state::finished) == 1);
  REQUIRE(seen->last.count(progress_state::failed) == 1);
  REQUIRE(seen->last.count(progress_state::dispatched) == 8);
}
