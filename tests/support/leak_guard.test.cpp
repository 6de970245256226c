// lk-parallel | SPDX-License-Identifier: MIT
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include <support/catch.hpp>
#include <support/leak_guard.hpp>

using namespace lk::parallel;
using namespace lk::parallel::testing;

namespace {
constexpr std::chrono::milliseconds at_once{0};
}

TEST_CASE("nothing done leaves no difference") {
  const leak_guard guard;
  REQUIRE(guard.difference() == "");
}

TEST_CASE("a descriptor left open is named with what it is open on") {
  const leak_guard guard;
  const base::unique_fd leaked(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  REQUIRE_THAT(guard.difference(at_once), contains("descriptor ") && contains("(/dev/null) is new"));
}

TEST_CASE("a descriptor closed behind its owner's back is named") {
  base::unique_fd owned(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const leak_guard guard;
  owned.reset();
  REQUIRE_THAT(guard.difference(at_once), contains("(/dev/null) is gone"));
}

TEST_CASE("a thread that still runs is named, a joined one is not") {
  const leak_guard guard;
  std::atomic<bool> go_on{true};
  std::thread thread([&] { go_on.wait(true); });
  const std::string while_it_runs = guard.difference(at_once);
  go_on = false;
  go_on.notify_all();
  thread.join();
  REQUIRE_THAT(while_it_runs, contains("thread "));
  REQUIRE(guard.difference() == "");
}

TEST_CASE("a zombie is named, a reaped child is not") {
  const leak_guard guard;
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  const std::string before_reaping = guard.difference(at_once);
  REQUIRE(::waitpid(pid, nullptr, 0) == pid);
  REQUIRE_THAT(before_reaping, contains("child " + std::to_string(pid)));
  REQUIRE(guard.difference() == "");
}

TEST_CASE("the folder of another test in /dev/shm is nobody's leak, another name there is one") {
  const leak_guard guard;
  std::string theirs = "/dev/shm/lk-parallel-test-XXXXXX", left = "/dev/shm/lk-test-left-XXXXXX";
  REQUIRE(::mkdtemp(theirs.data()) != nullptr);
  CHECK(guard.difference(at_once) == "");
  REQUIRE(::mkdtemp(left.data()) != nullptr);
  CHECK_THAT(guard.difference(at_once), contains(left));
  ::rmdir(theirs.c_str());
  ::rmdir(left.c_str());
}

TEST_CASE("a shared mapping left behind is named") {
  const leak_guard guard;
  void* const mapped = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED);
  REQUIRE_THAT(guard.difference(at_once), contains("shared mapping "));
  ::munmap(mapped, 4096);
  REQUIRE(guard.difference() == "");
}

TEST_CASE("a changed signal disposition and a changed signal mask are named") {
  const leak_guard guard;
  const auto before = ::signal(SIGUSR1, SIG_IGN);
  REQUIRE_THAT(guard.difference(at_once), contains("signal " + std::to_string(SIGUSR1)));
  ::signal(SIGUSR1, before);
  const base::signals_blocked blocked;
  REQUIRE_THAT(guard.difference(at_once), contains(", blocked"));
}
