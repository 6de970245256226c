// lk-parallel | SPDX-License-Identifier: MIT
#include "front/back_ends.hpp"
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/ranges.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include <lk/parallel.hpp>
#include <lk/parallel/shm/segment.hpp>

// Ways in which invokers have hung, crashed or broken a promise, each found once.

using namespace lk::parallel;
using lk::parallel::testing::count;
using lk::parallel::testing::exited;
using lk::parallel::testing::in_child;

namespace {

const std::vector<int> model{10};

struct with_const_member {
  const int a;
  double b;
};

/// Throws on every move out of the thread that made it.
struct throws_when_moved {
  throws_when_moved() = default;
  throws_when_moved(throws_when_moved&& other) : armed(other.armed) {
    if (armed && ++moves > 3) throw std::runtime_error("cannot be moved");
  }
  throws_when_moved& operator=(throws_when_moved&&) = default;
  bool armed = true;
  inline static thread_local int moves = 0;
};

/// A codec that logs while it encodes.
struct talkative {
  int x;
};

} // namespace

template <> struct lk::parallel::codec<talkative> {
  static void encode(const talkative& value, wire::writer& out) {
    for (int i = 0; i < 20; ++i) spdlog::get("quiet regression logger")->info("encoding");
    out.put(value.x);
  }
  static talkative decode(wire::reader& in) { return {in.get<int>()}; }
};

TEST_CASE("arguments of very different sizes all get through") {
  invoker inv{model, [](const std::vector<int>&, const std::vector<char>& x) { return x.size(); }, {.n_jobs = 4}};
  std::uint64_t state = 1;
  const auto next_size = [&](int) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return std::vector<char>((state >> 33) % 600'000);
  };
  REQUIRE(count(inv.map(std::views::iota(0, 2000) | std::views::transform(next_size))) == 2000);
}

TEST_CASE("maps that give a worker no task cost it nothing") {
  invoker inv{model, [](const std::vector<int>& m, int x) { return m[0] + x; }, {.n_jobs = 2}};
  for (int map = 0; map < 20'000; ++map)
    if (count(inv.map(std::vector<int>{})) != 0) FAIL("an empty map had results");
  for (int map = 0; map < 10'000; ++map)
    if (count(inv.map(std::views::single(1))) != 1) FAIL("map " << map << " has no result");
}

TEST_CASE("a thread of a worker that waits for its host does not take the wake-up of another") {
  const auto quiet = std::make_shared<spdlog::logger>("quiet regression logger");
  spdlog::register_logger(quiet);
  invoker inv{model,
              [](const std::vector<int>&, int x) {
                if (x == 0)
                  std::thread([] {
                    const std::string line(60'000, 'x');
                    for (int i = 0; i < 100; ++i) spdlog::get("quiet regression logger")->info(line);
                  }).detach();
                return x;
              },
              {.n_jobs = 1, .where = execution::processes, .window = 2}};
  std::size_t n = 0;
  for ([[maybe_unused]] const int x : inv.map(std::views::iota(0, 20))) {
    ::poll(nullptr, 0, 20); // the consumer is slow, so that the ring fills
    ++n;
  }
  spdlog::drop(quiet->name());
  REQUIRE(n == 20);
}

TEST_CASE("a codec may log while other threads of the worker log") {
  const auto quiet = std::make_shared<spdlog::logger>("quiet regression logger");
  spdlog::register_logger(quiet);
  invoker inv{model,
              [](const std::vector<int>&, int x) {
                static std::atomic<bool> talks{false};
                if (!talks.exchange(true))
                  std::thread([] {
                    while (true) spdlog::get("quiet regression logger")->info("from behind");
                  }).detach();
                return talkative{x};
              },
              {.n_jobs = 2}};
  REQUIRE(count(inv.map(std::views::iota(0, 50))) == 50);
  inv.shutdown();
  spdlog::drop(quiet->name());
}

TEST_CASE("a child that the host forks inside its loop leaves by unwinding without harm") {
  FOR_EVERY_BACK_END(which);
  REQUIRE(in_child([&] {
            pid_t child = -1;
            int n = 0;
            struct leave {};
            try {
              invoker inv{model, [](const std::vector<int>& m, int x) { return m[0] + x; }, which.options()};
              for ([[maybe_unused]] const int result : inv.map(std::views::iota(0, 1000))) {
                if (++n != 500) continue;
                child = ::fork();
                if (child == 0) throw leave{}; // through the range and the invoker
              }
            } catch (const leave&) {
              return 0; // the child's own end
            }
            int status = -1;
            ::waitpid(child, &status, 0);
            return n == 1000 && status == 0 ? 0 : 1;
          }) == exited(0));
}

TEST_CASE("a program that was started without standard streams can use workers") {
  REQUIRE(in_child([] {
            ::close(0);
            ::close(1);
            invoker inv{model, [](const std::vector<int>& m, int x) { return m[0] + x; }, {.n_jobs = 2}};
            return count(inv.map(std::views::iota(0, 100))) == 100 ? 0 : 1;
          }) == exited(0));
}

TEST_CASE("shutdown from inside the map that it would end is refused") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, [](const std::vector<int>& m, int x) { return m[0] + x; }, which.options()};
  auto self_destructive = std::views::iota(0, 10) | std::views::transform([&](int x) {
                            if (x == 5) inv.shutdown();
                            return x;
                          });
  REQUIRE_THROWS_AS(count(inv.map(self_destructive)), usage_error);
  REQUIRE(count(inv.map(std::views::iota(0, 10))) == 10);
}

TEST_CASE("waiting results stay within window_bytes, whatever the number of workers") {
  invoker inv{model,
              [](const std::vector<int>&, int x) {
                if (x == 0) ::poll(nullptr, 0, 500); // the others pile up meanwhile
                return std::vector<char>(std::size_t{1} << 20, 'r');
              },
              {.n_jobs = 4, .window_bytes = std::size_t{8} << 20}};
  int furthest = 0, taken = 0, most_ahead = 0;
  auto watched = std::views::iota(0, 300) | std::views::transform([&](int x) {
                   furthest = x;
                   most_ahead = std::max(most_ahead, furthest - taken);
                   return x;
                 });
  for ([[maybe_unused]] const auto& result : inv.map(watched)) ++taken;
  REQUIRE(taken == 300);
  REQUIRE(most_ahead <= 100); // what waits, what the workers hold, what the consumer takes between looks; not all 300
}

TEST_CASE("slow tasks after a map of fast ones are spread over the workers") {
  invoker inv{model,
              [](const std::vector<int>&, int x) {
                if (x < 0) ::poll(nullptr, 0, 5);
                return static_cast<int>(::getpid());
              },
              {.n_jobs = 4}};
  REQUIRE(count(inv.map(std::views::iota(0, 100'000))) == 100'000);
  std::set<int> workers;
  for (const int pid : inv.map(std::views::iota(-40, 0))) workers.insert(pid);
  REQUIRE(workers.size() == 4);
}

TEST_CASE("results with const members travel") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, [](const std::vector<int>&, int x) { return with_const_member{x, 0.5}; }, which.options()};
  int i = 0;
  for (const auto& result : inv.map(std::views::iota(0, 100))) REQUIRE(result.a == i++);
  REQUIRE(i == 100);
}

TEST_CASE("a result that cannot be moved between threads is an error and no crash") {
  invoker inv{in_process, model, [](const std::vector<int>&, int) { return throws_when_moved{}; }, {.n_jobs = 2}};
  try {
    const std::size_t n = count(inv.map_outcomes(std::views::iota(0, 20)));
    REQUIRE(n == 20);
  } catch (const std::runtime_error& error) { // moved once too often on the consumer's own side
    REQUIRE(std::string(error.what()) == "cannot be moved");
  }
}

TEST_CASE("tasks of an abandoned map that never end do not keep the next map from its workers") {
  const shm::segment shared(4096);
  auto& n_stuck = *new (shared.bytes().data()) std::atomic<int>(0);
  invoker inv{model,
              [&](const std::vector<int>& m, int x) {
                if (x < 0) ++n_stuck;
                while (x < 0) ::pause();
                return m[0] + x;
              },
              {.n_jobs = 2}};
  {
    auto range = inv.map(std::vector<int>{0, -1, -1, -1, -1, -1});
    REQUIRE(*range.begin() == 10);
    while (n_stuck < 2) std::this_thread::yield();
  }
  REQUIRE(count(inv.map(std::views::iota(0, 100))) == 100);
  REQUIRE(n_stuck == 2);
}

TEST_CASE("a loop over threads that is left early does not run what is queued") {
  std::atomic<int> n_run{0};
  invoker inv{in_process,
              model,
              [&](const std::vector<int>&, int x) {
                ++n_run;
                return x;
              },
              {.n_jobs = 2}};
  int n = 0;
  for ([[maybe_unused]] const int x : inv.map(std::views::iota(0, 100'000)))
    if (++n == 3) break;
  const int when_left = n_run;
  REQUIRE(count(inv.map(std::vector<int>{1})) == 1);
  REQUIRE(n_run == when_left + 1);
}

TEST_CASE("a task in the consumer's own thread sees that the map is to stop") {
  std::stop_source stop;
  invoker inv{model,
              [&](const std::vector<int>&, int, task_context& task) {
                stop.request_stop();
                return task.stop_requested();
              },
              {.n_jobs = 1, .stop = stop.get_token()}};
  auto range = inv.map(std::views::iota(0, 3));
  REQUIRE(*range.begin());
}

TEST_CASE("a process that may make no more threads or processes says so") {
  if (::geteuid() == 0) {
    WARN("root has no limit of processes");
    return;
  }
  REQUIRE(in_child([] {
            const rlimit none{0, 0};
            ::setrlimit(RLIMIT_NPROC, &none);
            try {
              invoker inv{model, [](const std::vector<int>&, int x) { return x; }, {.n_jobs = 2}};
            } catch (const resource_error& error) {
              return error.errno_code == EAGAIN ? 0 : 1;
            }
            return 2;
          }) == exited(0));
}
