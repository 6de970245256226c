// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <chrono>
#include <cstddef>
#include <string>

#include <lk/parallel/process/fork_advice.hpp>

using namespace lk::parallel::process;
using namespace std::chrono_literals;

namespace {
constexpr std::size_t mib = std::size_t{1} << 20;
}

TEST_CASE("a fork that took long because of large page tables is told with what it cost and what to do") {
  const auto advice = fork_advice(18'240us, 2 * mib + mib / 8);
  REQUIRE(advice);
  REQUIRE(advice->find("took 18.2 ms") != std::string::npos);
  REQUIRE(advice->find("copies 2.1 MiB of page tables") != std::string::npos);
  REQUIRE(advice->find("huge_page_resource") != std::string::npos);
}

TEST_CASE("a quick fork, and one that was slow for another reason, are no matter for the log") {
  REQUIRE(!fork_advice(4'900us, 100 * mib));
  REQUIRE(!fork_advice(10s, mib + mib / 2)); // a program under a sanitizer, for one
}

TEST_CASE("the size of the page tables is read as proc(5) has it, and is 0 where there is none") {
  REQUIRE(page_table_bytes("VmLib:\t    8 kB\nVmPTE:\t    2148 kB\nVmSwap:\t   0 kB\n") == 2148 * 1024);
  for (const char* const other :
       {"", "VmLib:\t 8 kB\n", "Name:\tx\nVmPTE:", "Name:\tx\nVmPTE:\t \n", "Name:\tx\nVmPTE: kB\n"})
    REQUIRE(page_table_bytes(other) == 0);
}
