// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/leak_guard.hpp"

#include <utility>

#include <fcntl.h>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/base/unique_fd.hpp>

using namespace lk::parallel;

TEST_CASE("an owned descriptor is closed exactly once") {
  const testing::leak_guard guard;
  {
    base::unique_fd first(::open("/dev/null", O_RDONLY));
    REQUIRE(first);
    base::unique_fd second(std::move(first));
    REQUIRE(!first);
    first = std::move(second);
    first = base::unique_fd(::open("/dev/null", O_RDONLY));
    REQUIRE(first);
  }
  REQUIRE(guard.difference() == "");
}

TEST_CASE("a call that fails is a resource error with the call's name and errno") {
  try {
    base::check("open", "look elsewhere", [] { return ::open("/no/such/file", O_RDONLY); });
    FAIL("nothing was thrown");
  } catch (const resource_error& error) {
    REQUIRE(error.call == "open");
    REQUIRE(error.errno_code == ENOENT);
    REQUIRE_THAT(error.what(), testing::contains("look elsewhere"));
  }
}
