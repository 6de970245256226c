// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include <lk/parallel/process/exit_status.hpp>
#include <lk/parallel/process/fork.hpp>

using lk::parallel::process::exit_status;

namespace {

template <class ChildMain> exit_status status_of(ChildMain child_main) {
  const pid_t pid = lk::parallel::process::fork_process();
  if (pid == 0) lk::parallel::process::live_as_child(child_main);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return exit_status::of_wait(status);
}

} // namespace

TEST_CASE("an exit status tells exits from signals") {
  REQUIRE(status_of([] { return 3; }) == exit_status::exited(3));
  REQUIRE(status_of([]() -> int {
            ::signal(SIGTERM, SIG_DFL);
            ::raise(SIGTERM);
            return 0;
          }) == exit_status::killed(SIGTERM));
  REQUIRE(exit_status::exited(9) != exit_status::killed(9));
}

TEST_CASE("an exit status reads as a sentence") {
  REQUIRE(exit_status::exited(3).sentence() == "exited with status 3");
  REQUIRE(exit_status::killed(SIGSEGV).sentence() == "was killed by SIGSEGV (Segmentation fault)");
}

TEST_CASE("an exception that reaches the main of a child ends it without a destructor of the host") {
  REQUIRE(status_of([]() -> int { throw 1; }) == exit_status::exited(lk::parallel::process::exit_escaped_exception));
}
