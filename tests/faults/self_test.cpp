// lk-parallel | SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <stdexcept>

#include "faults/fault.hpp"
#include "faults/pool.hpp"

// Faults that the driver must call failures: the tests of the driver. They are not in the victim's plain list.

using namespace lk::parallel;
using namespace lk::parallel::faults;

namespace {

/// A process of a group of its own that nobody ends.
void fork_a_sleeper() {
  const pid_t pid = ::fork();
  expect(pid >= 0, "fork works");
  if (pid == 0) {
    ::setsid();
    while (true) ::pause();
  }
}

} // namespace

FAULT("self-fail", "a broken expectation fails with its sentence") { expect(false, "cows give milk"); }

FAULT("self-throw", "an exception that leaves a fault is a failure") {
  throw std::runtime_error("an unexpected guest");
}

FAULT("self-hang", "a hang is a failure that names the silent worker") {
  auto workers = make_pool(
      [](std::int64_t x, task_context&) {
        while (x == 3) ::pause();
        return answer(x);
      },
      {.n_jobs = 2});
  expect_healthy(workers, 10);
}

FAULT("self-leak", "a descriptor that is left open is a failure") {
  expect(::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0, "/dev/null can be opened");
}

FAULT("self-shared-memory", "a new name in /dev/shm is a failure") {
  const int fd = ::shm_open("/lk-fault-self-test", O_CREAT | O_RDWR, 0600);
  expect(fd >= 0, "shared memory can be made");
  ::close(fd);
  ::_exit(0); // before the leak guard looks: the driver must see it, too
}

FAULT_THAT_ENDS("self-outlived", SIGKILL, "a process that outlives a killed victim is a failure") {
  fork_a_sleeper();
  ::kill(::getpid(), SIGKILL);
}

FAULT("self-orphan", "a process that outlives a victim is a failure, also where it is the child of a child") {
  const pid_t pid = ::fork();
  if (pid == 0) {
    fork_a_sleeper();
    ::_exit(0);
  }
  wait_until([&] { return ::waitpid(pid, nullptr, WNOHANG) == pid; }, "the child ends");
}

FAULT("self-dead-orphan", "an orphan is a failure although it ends before the victim does") {
  shared<std::atomic<int>> orphan;
  const pid_t pid = ::fork();
  if (pid == 0) {
    const pid_t child = ::fork();
    if (child == 0)
      while (true) ::pause();
    *orphan = child;
    ::_exit(0);
  }
  wait_until([&] { return ::waitpid(pid, nullptr, WNOHANG) == pid; }, "the child ends");
  ::kill(*orphan, SIGKILL);
  wait_until([&] { return ::kill(*orphan, 0) != 0; }, "the orphan is reaped");
}

FAULT("self-killed", "a victim that dies and was not to is a failure") { ::kill(::getpid(), SIGKILL); }

FAULT_THAT_ENDS("self-survivor", SIGTERM, "a victim that was to die by a signal and does not is a failure") {}
