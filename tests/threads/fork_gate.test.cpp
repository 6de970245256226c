// lk-parallel | SPDX-License-Identifier: MIT
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <iterator>
#include <string>
#include <thread>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <lk/parallel/threads/chunk_loop.hpp>
#include <lk/parallel/threads/fork_gate.hpp>
#include <lk/parallel/threads/thread_budget.hpp>
#include <support/catch.hpp>
#include <support/in_child.hpp>
#include <threads/rendezvous.hpp>

// Every case runs in a host process of its own, since oneTBB's state belongs to the process; the test process itself
// never touches oneTBB.

using namespace lk::parallel;
using testing::child_result;
using testing::exited;
using testing::in_child;
using threads::arena;
using threads::fork_gate;
using threads::thread_budget;
using namespace std::chrono_literals;

namespace {

void use_tbb() {
  oneapi::tbb::parallel_for(0, 1000, [](int) {});
}

/// Work that no single thread can do.
bool use_two_threads() {
  testing::rendezvous meeting(2);
  std::atomic<int> late{0};
  oneapi::tbb::parallel_for(0, 2, [&](int) { late += meeting.meet(5s) ? 0 : 1; });
  return late == 0;
}

void train(arena& training) {
  training.run([] { use_two_threads(); });
}

/// In a fresh child, as the zygote is made: from a thread that did nothing else.
child_result fork_from_helper_thread(const std::function<int()>& fn) {
  child_result result;
  std::thread([&] { result = in_child(fn, 15s); }).join();
  return result;
}

/// 0 when a worker forked now has two real oneTBB threads, and a worker forked from that worker as well.
int worker_has_two_threads() {
  const auto work = [] {
    thread_budget budget(2, true);
    bool both = false;
    budget.run([&] { both = use_two_threads(); });
    return both ? 0 : 1;
  };
  const child_result result = fork_from_helper_thread([&] { // a zygote: forks and does nothing else
    return in_child(work, 10s) == exited(0) && in_child(work, 10s) == exited(0) ? 0 : 2;
  });
  return result == exited(0) ? 0 : 40;
}

/// 0 when a worker forked now, though oneTBB was not quiesced, can run oneTBB algorithms in one slot. As with the real
/// zygote, a child whose probe hangs is given up and another one forked.
int worker_runs_in_one_slot() {
  const auto work = [] {
    thread_budget budget(2, false);
    std::atomic<int> done{0};
    budget.run([&] { oneapi::tbb::parallel_for(0, 1000, [&](int) { ++done; }); });
    return done == 1000 ? 0 : 1;
  };
  for (int attempt = 0; attempt < 10; ++attempt) {
    const child_result result = fork_from_helper_thread([&] {
      ::alarm(2);
      threads::probe_tbb();
      ::alarm(0);
      return in_child(work, 10s) == exited(0) && work() == 0 ? 0 : 2;
    });
    if (result == testing::killed(SIGALRM)) continue;
    return result == exited(0) ? 0 : 50;
  }
  return 51;
}

std::ptrdiff_t n_own_threads() { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); }

} // namespace

TEST_CASE("after training oneTBB is quiesced and workers have real threads, again and again") {
  CHECK(in_child([] {
          arena training(2, 1);
          for (int round = 0; round < 10; ++round) {
            train(training);
            const fork_gate gate(training);
            if (!gate.quiesced()) return 1;
            if (const int bad = worker_has_two_threads(); bad != 0) return bad;
          }
          train(training);
          return 0;
        }) == exited(0));
}

TEST_CASE("oneTBB is quiesced where nobody has used it yet") {
  CHECK(in_child([] {
          arena training(2, 1);
          const fork_gate gate(training);
          return gate.quiesced() ? worker_has_two_threads() : 1;
        }) == exited(0));
}

TEST_CASE("oneTBB is quiesced after the calling thread used it by itself") {
  CHECK(in_child([] {
          arena training(2, 1);
          for (int round = 0; round < 5; ++round) {
            use_two_threads();
            if (round % 2 == 1) train(training);
            const fork_gate gate(training);
            if (!gate.quiesced()) return 1;
            if (const int bad = worker_has_two_threads(); bad != 0) return bad;
          }
          return use_two_threads() ? 0 : 2;
        }) == exited(0));
}

TEST_CASE("oneTBB is quiesced after a thread that used it has ended") {
  CHECK(in_child([] {
          arena training(2, 1);
          train(training);
          std::thread(use_tbb).join();
          const fork_gate gate(training);
          return gate.quiesced() ? worker_has_two_threads() : 1;
        }) == exited(0));
}

TEST_CASE("quiescing ends oneTBB's threads and leaves the owner") {
  CHECK(in_child([] {
          arena training(2, 1);
          train(training);
          const fork_gate gate(training);
          if (!gate.quiesced()) return 1;
          const base::deadline limit = base::deadline::after(10s); // a joined thread can linger in procfs
          while (n_own_threads() != 2 && !limit.passed()) std::this_thread::yield();
          return n_own_threads() == 2 ? 0 : 2;
        }) == exited(0));
}

TEST_CASE("a live thread that used oneTBB is a reason not to be quiesced, and its end removes it") {
  CHECK(in_child([] {
          arena training(2, 1);
          train(training);
          std::promise<void> used, end;
          std::thread foreign([&] {
            use_tbb();
            used.set_value();
            end.get_future().wait();
          });
          used.get_future().wait();
          {
            const fork_gate gate(training);
            if (gate.quiesced()) return 1;
            if (gate.reason().find("another thread") == std::string::npos) return 2;
            if (const int bad = worker_runs_in_one_slot(); bad != 0) return bad;
          }
          train(training);
          end.set_value();
          foreign.join();
          const fork_gate gate(training);
          return gate.quiesced() ? worker_has_two_threads() : 3;
        }) == exited(0));
}

TEST_CASE("a live task_arena or scheduler handle is a reason not to be quiesced") {
  CHECK(in_child([] {
          arena training(2, 1);
          oneapi::tbb::task_arena foreign(2);
          foreign.execute(use_tbb);
          if (fork_gate(training).quiesced()) return 1;
          foreign.terminate();
          if (!fork_gate(training).quiesced()) return 2;
          oneapi::tbb::task_scheduler_handle held{oneapi::tbb::attach{}};
          use_tbb();
          if (fork_gate(training).quiesced()) return 3;
          held.release();
          return fork_gate(training).quiesced() ? 0 : 4;
        }) == exited(0));
}

TEST_CASE("training in progress is a reason not to be quiesced, and it goes on undisturbed") {
  CHECK(in_child([] {
          arena training(2, 1);
          std::promise<void> begun, end;
          std::thread trainer([&] {
            training.run([&] {
              begun.set_value();
              end.get_future().wait();
              use_two_threads();
            });
          });
          begun.get_future().wait();
          int code = 0;
          {
            const fork_gate gate(training);
            if (gate.quiesced() || gate.reason().find("at work") == std::string::npos) code = 1;
            if (code == 0) code = worker_runs_in_one_slot();
          }
          end.set_value();
          trainer.join();
          return code;
        }) == exited(0));
}

TEST_CASE("a gate made inside the training arena, a chunk or a foreign arena does no harm") {
  CHECK(in_child([] {
          arena training(2, 1);
          const auto refused = [&] { return !fork_gate(training).quiesced(); };
          std::atomic<int> wrong{0};
          training.run([&] { wrong += refused() ? 0 : 1; });
          threads::loop_over(training, 4, [&](std::size_t) { wrong += refused() ? 0 : 1; });
          oneapi::tbb::task_arena foreign(2);
          foreign.execute([&] { wrong += refused() ? 0 : 1; });
          oneapi::tbb::parallel_for(0, 4, [&](int) { wrong += refused() ? 0 : 1; });
          foreign.terminate();
          if (wrong != 0) return 1;
          return fork_gate(training).quiesced() ? worker_has_two_threads() : 2;
        }) == exited(0));
}

TEST_CASE("a task that never ends on a oneTBB thread costs the gate its patience and no more") {
  CHECK(in_child([] {
          arena training(2, 1);
          std::promise<void> begun, end;
          std::shared_future<void> ended = end.get_future().share();
          {
            oneapi::tbb::task_arena foreign(2);
            foreign.enqueue([&begun, ended] {
              begun.set_value();
              ended.wait();
            });
            begun.get_future().wait();
          }
          {
            const fork_gate gate(training, 50ms);
            if (gate.quiesced() || gate.reason().find("still running") == std::string::npos) return 1;
            if (const int bad = worker_runs_in_one_slot(); bad != 0) return bad;
          }
          training.run(use_tbb); // alone, if there is no other oneTBB thread
          end.set_value();
          return 0;
        }) == exited(0));
}

TEST_CASE("no training starts while a gate lives") {
  CHECK(in_child([] {
          arena training(2, 1);
          std::atomic<bool> open{false};
          std::atomic<int> early{0};
          std::thread trainer;
          {
            const fork_gate gate(training);
            trainer = std::thread([&] { training.run([&] { early += open ? 0 : 1; }); });
            if (!gate.quiesced() || worker_has_two_threads() != 0) early = 100;
            open = true;
          }
          trainer.join();
          return early.load();
        }) == exited(0));
}

TEST_CASE("an arena in a forked child runs everything in place") {
  CHECK(in_child([] {
          arena training(2, 1);
          train(training);
          return fork_from_helper_thread([&] {
                   int done = 0;
                   const auto here = std::this_thread::get_id();
                   training.run([&] { done += here == std::this_thread::get_id() ? 1 : 0; });
                   threads::loop_over(training, 100, [&](std::size_t) { ++done; });
                   return done == 101 ? 0 : 1;
                 }) == exited(0)
                     ? 0
                     : 1;
        }) == exited(0));
}
