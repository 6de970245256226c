// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/errors.hpp>
#include <support/in_child.hpp>
#include <support/leak_guard.hpp>
#include <support/procfs.hpp>
#include <support/sanitizers.hpp>

#include "faults/fault.hpp"
#include "faults/host_tools.hpp"
#include "faults/pool.hpp"

// What the system refuses, and what a pool takes: descriptors, memory, processes.

using namespace lk::parallel;
using namespace lk::parallel::faults;
using namespace std::chrono_literals;
using testing::exited;
using testing::in_child;
using testing::leak_guard;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// What a pool of n workers ends with: nothing where it could be made and used.
std::optional<resource_error> refusal_of(int n_workers) {
  try {
    auto workers = make_pool(usual, {.n_jobs = n_workers, .where = execution::processes});
    expect_healthy(workers, 20);
    return std::nullopt;
  } catch (const resource_error& refused) {
    return refused;
  }
}

void expect_helpful(const resource_error& refused, const std::string& call, int errno_code, const std::string& remedy) {
  expect(has(refused.call, call), "the error names the call " + call + ": " + refused.what());
  expect(refused.errno_code == errno_code, std::string("the error has the errno of the call: ") + refused.what());
  expect(has(refused.what(), std::strerror(errno_code)), std::string("what() tells the errno: ") + refused.what());
  expect(has(refused.what(), remedy), std::string("what() tells a remedy: ") + refused.what());
}

void expect_nothing_leaked(const leak_guard& guard) {
  const std::string left = guard.difference();
  expect(left.empty(), "nothing is leaked: " + left);
}

// --- F1

/// The n-th fork of the victim fails, counted over host and zygote from 1.
void fail_fork(const shared<std::atomic<int>>& n_forks, int nth, int errno_code) {
  on_fault_point([&n_forks, nth, errno_code](std::string_view name) {
    if (name != "fork" || ++*n_forks != nth) return false;
    errno = errno_code;
    return true;
  });
}

void refuse_the_zygote(int errno_code) {
  const leak_guard guard;
  const shared<std::atomic<int>> n_forks;
  fail_fork(n_forks, 1, errno_code);
  const auto refused = refusal_of(2);
  expect(refused.has_value(), "a fork that is refused is an error");
  expect_helpful(*refused, "fork", errno_code, errno_code == EAGAIN ? "ulimit -u" : "memory");
  expect(!refusal_of(2), "the next invoker can be made");
  on_fault_point(nullptr);
}

void refuse_the_third_worker(int errno_code) {
  const shared<std::atomic<int>> n_forks;
  fail_fork(n_forks, 4, errno_code);
  const leak_guard guard;
  {
    auto workers = make_pool(usual, {.n_jobs = 4});
    std::optional<resource_error> refused;
    const auto use = [&] {
      try {
        expect_healthy(workers, 20);
      } catch (const resource_error& found) {
        refused = found;
      }
      return refused.has_value();
    };
    wait_until(use, "a map is told that a worker cannot be forked");
    expect_helpful(*refused, "fork", errno_code, errno_code == EAGAIN ? "ulimit -u" : "memory");
    expect_healthy(workers);
  }
  expect_nothing_leaked(guard);
}

} // namespace

FAULT("F1-fork-zygote", "EAGAIN for the first fork is a resource_error with call, errno and remedy") {
  refuse_the_zygote(EAGAIN);
}
FAULT("F1-fork-worker", "EAGAIN for the third worker ends a map with a resource_error, and the next map works") {
  refuse_the_third_worker(EAGAIN);
}
FAULT("F1-overcommit-zygote", "a first fork that overcommit forbids is a resource_error whose remedy is memory") {
  refuse_the_zygote(ENOMEM);
}
FAULT("F1-overcommit-worker", "a third worker that overcommit forbids ends a map, and the next map works") {
  refuse_the_third_worker(ENOMEM);
}

FAULT("F1-mmap", "shared memory that cannot be mapped is a resource_error with call, errno and remedy") {
  const leak_guard guard;
  on_fault_point([](std::string_view name) { return name == "mmap"; });
  const auto refused = refusal_of(2);
  on_fault_point(nullptr);
  expect(refused.has_value(), "a mapping that is refused is an error");
  expect_helpful(*refused, "mmap", ENOMEM, "ulimit -v");
  expect_nothing_leaked(guard);
}

namespace {

/// The soft limit for the life of the object.
class lower_limit {
 public:
  lower_limit(__rlimit_resource resource, rlim_t value) : resource_(resource) {
    ::getrlimit(resource_, &before_);
    const rlimit lower{value, before_.rlim_max};
    expect(::setrlimit(resource_, &lower) == 0, "a limit can be lowered");
  }
  ~lower_limit() { ::setrlimit(resource_, &before_); }
  lower_limit(const lower_limit&) = delete;
  lower_limit& operator=(const lower_limit&) = delete;

 private:
  __rlimit_resource resource_;
  rlimit before_{};
};

/// A limit that leaves so many descriptors to be opened.
rlim_t limit_with_spare(int n_spare) {
  int limit = 0;
  for (int n_free = 0; n_free < n_spare; ++limit) n_free += ::fcntl(limit, F_GETFD) < 0 ? 1 : 0;
  return static_cast<rlim_t>(std::max(limit, 3));
}

} // namespace

FAULT("F1-descriptors", "EMFILE at each possible step is a resource_error with call, errno and remedy") {
  if (testing::under_sanitizer) return skipped("the checks of virtual calls need a pipe");
  const leak_guard guard;
  int n_refused = 0;
  bool enough = false;
  for (int n_spare = 0; n_spare < 30 && !enough; ++n_spare) {
    std::optional<resource_error> refused;
    {
      const lower_limit limit(RLIMIT_NOFILE, limit_with_spare(n_spare));
      refused = refusal_of(2);
    }
    enough = !refused;
    if (!refused) continue;
    ++n_refused;
    expect_helpful(*refused, "", EMFILE, "ulimit -n");
    expect(!refused->call.empty(), "the call has a name");
    expect_nothing_leaked(guard);
  }
  expect(enough && n_refused >= 4, "there are several such steps, and then there are enough descriptors");
}

FAULT("F1-address-space", "an address space that is too small is a resource_error with call, errno and remedy") {
  if (testing::under_sanitizer) return skipped("a sanitizer needs all of the address space");
  expect(in_child([] {
           std::size_t pages = 0;
           std::istringstream(base::read_small_file("/proc/self/statm").value_or("")) >> pages;
           const leak_guard guard;
           int n_refused = 0;
           for (const std::size_t spare_mib : {1u, 2u, 4u, 8u, 12u, 16u, 64u}) {
             std::optional<resource_error> refused;
             {
               const lower_limit limit(RLIMIT_AS, pages * 4096 + (spare_mib << 20));
               refused = refusal_of(4);
             }
             if (!refused) continue;
             ++n_refused;
             expect(refused->errno_code == ENOMEM || refused->errno_code == EAGAIN, refused->what());
             expect(has(refused->what(), refused->call) && has(refused->what(), "ulimit"), refused->what());
             expect_nothing_leaked(guard);
           }
           expect(n_refused >= 2, "some of these limits are too low");
           expect(!refusal_of(4), "without a limit it works");
           return 0;
         }) == exited(0),
         "a host with little address space is told so");
}

namespace {

constexpr uid_t nobody = 65534;

/// Threads of all processes of this user, which is what RLIMIT_NPROC counts.
std::size_t n_threads_of_user() {
  std::size_t n = 0;
  for (const testing::process_state& process : testing::all_processes()) {
    const std::string folder = "/proc/" + std::to_string(process.pid);
    struct stat status {};
    if (::stat(folder.c_str(), &status) == 0 && status.st_uid == ::getuid())
      n += testing::names_in(folder + "/task").size();
  }
  return n;
}

/// No limit binds root, so this process becomes somebody else.
bool give_up_root() {
  if (::geteuid() != 0) return true;
  if (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
      ::setresuid(nobody, nobody, nobody) != 0)
    return false;
  return ::prctl(PR_SET_DUMPABLE, 1) == 0; // else /proc/self belongs to root
}

} // namespace

FAULT("F1-process-limit", "a user who may make no more processes or threads is told so at each possible step") {
  constexpr int refused_here = 77;
  const auto result = in_child([] {
    if (!give_up_root()) return refused_here;
    const leak_guard guard;
    int n_refused = 0;
    for (std::size_t spare = 0; spare < 6; ++spare) {
      std::optional<resource_error> refused;
      {
        const lower_limit limit(RLIMIT_NPROC, n_threads_of_user() + spare);
        refused = refusal_of(4);
      }
      if (!refused) continue;
      ++n_refused;
      expect_helpful(*refused, "", EAGAIN, "ulimit -u");
      expect_nothing_leaked(guard);
    }
    expect(n_refused >= 2, "some of these limits are too low");
    expect(!refusal_of(4), "without a limit it works");
    return 0;
  });
  if (result == exited(refused_here)) return skipped("this user can become nobody else");
  expect(result == exited(0), "a host with few processes is told so");
}

// --- F2

namespace {

struct footprint {
  std::size_t descriptors, mappings, resident_bytes;

  static footprint now() {
    const std::string maps = base::read_small_file("/proc/self/maps").value_or("");
    std::size_t pages = 0, resident = 0;
    std::istringstream(base::read_small_file("/proc/self/statm").value_or("")) >> pages >> resident;
    return {testing::names_in("/proc/self/fd").size(),
            static_cast<std::size_t>(std::count(maps.begin(), maps.end(), '\n')), resident * 4096};
  }
};

/// Does it a hundred times, then nine hundred times, and compares. A sanitizer has the patience for some fewer.
void expect_flat(const std::function<void()>& once) {
  for (int i = 0; i < 100; ++i) once();
  const footprint before = footprint::now();
  for (int i = 0; i < (testing::under_sanitizer ? 100 : 900); ++i) once();
  const footprint after = footprint::now();
  expect(after.descriptors == before.descriptors, "as many descriptors as before");
  expect(after.mappings <= before.mappings + 8, "as many mappings as before, but for the heap's");
  const std::size_t slack = (testing::under_sanitizer ? std::size_t{256} : std::size_t{8}) << 20; // its quarantine
  expect(after.resident_bytes <= before.resident_bytes + slack, "as much memory as before");
}

} // namespace

FAULT("F2-invokers", "a thousand invokers made, used and dropped leave descriptors, mappings and memory flat") {
  expect_flat([] {
    auto workers = make_pool(usual, {.n_jobs = 1, .where = execution::processes});
    expect_healthy(workers, 2);
  });
}

FAULT("F2-maps", "a thousand maps on one invoker leave descriptors, mappings and memory flat") {
  auto workers = make_pool(usual, {.n_jobs = 2});
  expect_flat([&] { expect_healthy(workers, 10); });
}

// --- F3

FAULT("F3", "in a child that the host forks while a pool lives, the pool is inert, and the host's goes on") {
  static std::unique_ptr<pool>& of_program = *new std::unique_ptr<pool>;
  of_program = std::make_unique<pool>(make_pool(usual, {.n_jobs = 2}));
  pool& workers = *of_program;
  expect_healthy(workers);
  const auto pids = worker_pids();
  const auto in_own_child = [&] {
    try {
      (void)workers.map(arguments(3));
      return 1;
    } catch (const usage_error&) {
    }
    workers.shutdown();
    const pool taken = std::move(workers);
    of_program.reset();
    return 0;
  };
  expect(in_child(in_own_child) == exited(0), "map is a usage_error there, and shutdown and destruction do nothing");
  const pid_t inside = ::fork(); // in the midst of a map, and left by exit()
  if (inside == 0) {
    std::atexit([] { of_program.reset(); });
    std::exit(0);
  }
  int status = -1;
  expect(::waitpid(inside, &status, 0) == inside && status == 0, "a child that leaves by exit() leaves well");
  expect_healthy(workers);
  expect(worker_pids() == pids, "the host's workers are untouched");
  of_program.reset();
}

// --- F4

namespace {

constexpr int not_permitted = 77;

/// A mount namespace of this process's own, so that nothing outside of it is changed.
bool leave_the_common_mounts() {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

bool make_shared_memory_small() {
  return leave_the_common_mounts() && ::mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=1m") == 0;
}

/// A /dev that has next to nothing.
bool make_shared_memory_absent() {
  return leave_the_common_mounts() && ::mount("tmpfs", "/dev", "tmpfs", 0, "size=1m") == 0 &&
         ::mknod("/dev/null", S_IFCHR | 0666, ::makedev(1, 3)) == 0 && ::access("/dev/shm", F_OK) != 0;
}

void expect_no_effect(bool (*prepare)()) {
  const auto result = in_child([&] {
    if (!prepare()) return not_permitted;
    const auto task = [](std::int64_t x, task_context&) { return std::string(std::size_t{3} << 20, 'a') + answer(x); };
    auto workers = make_pool(task, {.n_jobs = 2});
    std::int64_t x = 0;
    for (const std::string& large : workers.map(arguments(6)))
      expect(large.substr(std::size_t{3} << 20) == answer(x++), "large results arrive");
    expect(x == 6 && testing::names_in("/dev/shm").empty(), "nothing was put there");
    return 0;
  });
  if (result == exited(not_permitted)) return skipped("mounting is not permitted here");
  expect(result == exited(0), "it has no effect on a pool");
}

} // namespace

FAULT("F4-small", "a /dev/shm of 1 MiB has no effect") { expect_no_effect(&make_shared_memory_small); }
FAULT("F4-absent", "a machine without /dev/shm is as good") { expect_no_effect(&make_shared_memory_absent); }

// --- F5

FAULT("F5", "workers, replacements too, keep the model as it was when the invoker was made") {
  std::vector<std::int64_t> model{1};
  auto workers = make_pool([&model](std::int64_t, task_context&) { return std::to_string(model[0]); }, {.n_jobs = 2});
  model[0] = 2;
  const auto expect_old = [&] {
    for (const std::string& seen : workers.map(arguments(20))) expect(seen == "1", "a worker sees the old value");
  };
  expect_old();
  model.assign(1000, 3);
  const auto before = worker_pids();
  for (const pid_t pid : before) ::kill(pid, SIGKILL);
  expect_old();
  for (const pid_t pid : worker_pids())
    expect(std::find(before.begin(), before.end(), pid) == before.end(), "these are other workers");
}
