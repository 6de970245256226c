// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <chrono>

#include <lk/parallel/base/deadline.hpp>

using lk::parallel::base::deadline;
using namespace std::chrono_literals;

TEST_CASE("a deadline passes once, and one that is never does not") {
  REQUIRE(deadline::after(0ns).passed());
  REQUIRE(deadline::after(-1h).passed());
  REQUIRE(!deadline::after(1h).passed());
  REQUIRE(!deadline::never().passed());
}

TEST_CASE("a deadline as a poll timeout is rounded up and never negative unless it is never") {
  REQUIRE(deadline::never().poll_timeout() == -1);
  REQUIRE(deadline::after(-1h).poll_timeout() == 0);
  REQUIRE(deadline::after(1h).poll_timeout() > 3'500'000);
  REQUIRE(deadline::after(24h * 365).poll_timeout() == 2147483647);
}
