// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lk/parallel/errors.hpp>
#include <lk/parallel/invoker.hpp>

#include "faults/fault.hpp"
#include "faults/pool.hpp"

// A1 to A8: a worker dies, or the parent of all workers does.

using namespace lk::parallel;
using namespace lk::parallel::faults;
using std::chrono::milliseconds;

namespace {

using shared_int = shared<std::atomic<int>>;

invoker_options processes(int n_jobs, int retries = 0) {
  return {.n_jobs = n_jobs, .where = execution::processes, .retries = retries};
}

/// A moment that one process notes and another one asks for.
class shared_moment {
 public:
  void set_now() const { ns_->store(now().count()); }
  void measure_until_now(std::string_view what) const { measured(what, now() - std::chrono::nanoseconds(*ns_)); }

 private:
  static std::chrono::nanoseconds now() { return std::chrono::steady_clock::now().time_since_epoch(); }
  shared<std::atomic<std::int64_t>> ns_;
};

/// The error that ends a map of n arguments after n_before usual results.
template <class Error> Error error_that_ends(pool& workers, std::int64_t n, std::int64_t n_before) {
  std::int64_t i = 0;
  try {
    for (const std::string& result : workers.map(arguments(n))) expect(result == answer(i++), "the results are right");
  } catch (const Error& found) {
    expect(i == n_before, "the results before the lost task came, in order");
    return found;
  }
  expect(false, "the map ends with an error");
  std::abort();
}

/// Goes through the outcomes of n arguments: usual results, but a lost worker for `lost`.
worker_lost only_loss_among(pool& workers, std::int64_t n, std::int64_t lost) {
  std::optional<worker_lost> found;
  std::int64_t i = 0;
  for (const auto& outcome : workers.map_outcomes(arguments(n))) {
    if (i == lost)
      found = dynamic_cast<const worker_lost&>(outcome.error());
    else
      expect(outcome.value() == answer(i), "map_outcomes goes on with the right results, in order");
    ++i;
  }
  expect(i == n && found, "map_outcomes goes on to the end");
  return *found;
}

void expect_blame(const worker_lost& lost, std::size_t task, loss_kind kind, int code) {
  expect(lost.task == task, "the task that died is blamed");
  expect(lost.kind == kind && lost.code == code, "the error tells how the worker ended: " + std::string(lost.what()));
  expect(lost.attempts == 1, "one attempt was made");
}

/// Long enough that a worker cannot have it in its ring as a whole (1 MiB), each byte a function of x and its place.
std::string large_answer(std::int64_t x, std::size_t bytes = std::size_t{10} << 20) {
  std::string text;
  text.reserve(bytes + 64);
  for (std::int64_t i = 0; text.size() < bytes; ++i) text += answer(x) + ", part " + std::to_string(i) + "; ";
  text.resize(bytes);
  return text;
}

/// Number of the task that this worker runs, for what is done at its fault points.
std::int64_t task_here = -1;

void die() { ::raise(SIGKILL); }

} // namespace

// --- A1, A2: a task ends its worker

FAULT("A1",
      "a task that is killed by a signal ends its map with worker_lost, after the results before it in order; the "
      "invoker stays usable") {
  shared_int signal;
  shared_moment death;
  auto workers = make_pool(
      [&](std::int64_t x, task_context&) {
        if (x == 7) {
          death.set_now();
          ::raise(*signal);
        }
        return answer(x);
      },
      processes(2));
  for (const int fatal : {SIGKILL, SIGSEGV, SIGABRT, SIGFPE, SIGILL}) {
    *signal = fatal;
    const auto lost = error_that_ends<worker_lost>(workers, 20, 7);
    death.measure_until_now("death to worker_lost");
    expect_blame(lost, 7, loss_kind::killed, fatal);
    expect_healthy(workers, 7);
  }
}

FAULT("A1-outcomes", "a task that is killed by a signal is one outcome among others") {
  shared_int signal;
  auto workers = make_pool(
      [&](std::int64_t x, task_context&) {
        if (x == 7) ::raise(*signal);
        return answer(x);
      },
      processes(2));
  for (const int fatal : {SIGKILL, SIGSEGV, SIGABRT, SIGFPE, SIGILL}) {
    *signal = fatal;
    expect_blame(only_loss_among(workers, 20, 7), 7, loss_kind::killed, fatal);
  }
}

FAULT(
    "A1-many",
    "a task that is killed among many short ones, which travel in one frame with it, is the only one that is lost, and "
    "none of the others runs twice") {
  constexpr std::int64_t n = 200'000, lost = 150'000; // by then the workers are known to be fast
  const shared<std::array<std::atomic<unsigned char>, n>> runs;
  invoker inv{runs,
              [](const auto& count, std::int64_t x) {
                ++(*count)[static_cast<std::size_t>(x)];
                if (x == lost) die();
                return 3 * x;
              },
              processes(2)};
  std::int64_t i = 0;
  for (const auto& outcome : inv.map_outcomes(std::views::iota(std::int64_t{0}, n))) {
    if (i == lost)
      expect_blame(dynamic_cast<const worker_lost&>(outcome.error()), lost, loss_kind::killed, SIGKILL);
    else
      expect(outcome.value() == 3 * i, "the others have their results, in order");
    ++i;
  }
  expect(i == n, "map_outcomes goes on to the end");
  for (const auto& count : *runs) expect(count == 1, "each task ran once");
}

namespace {

/// What must happen in the host only; null while no fault is about it.
std::atomic<int>* ends_in_a_child = nullptr;
pid_t host = 0;

void note_end() {
  if (ends_in_a_child && ::getpid() != host) ++*ends_in_a_child;
}

struct with_destructor {
  ~with_destructor() { note_end(); }
};

enum class way_out { exit, underscore_exit, quick_exit, terminate };

[[noreturn]] void leave(way_out how) {
  switch (how) {
  case way_out::exit:
    std::exit(0);
  case way_out::underscore_exit:
    ::_exit(0);
  case way_out::quick_exit:
    std::quick_exit(0);
  case way_out::terminate:
    break;
  }
  std::terminate();
}

} // namespace

FAULT("A2",
      "a task that leaves is a lost worker and never a success, and what the host registered for its own end does "
      "not run in the worker") {
  shared_int ends, way;
  ends_in_a_child = &*ends;
  host = ::getpid();
  static const with_destructor of_the_host;
  std::atexit(&note_end);
  std::at_quick_exit(&note_end);
  {
    auto workers = make_pool(
        [&](std::int64_t x, task_context&) {
          if (x == 7) leave(static_cast<way_out>(way->load()));
          return answer(x);
        },
        processes(2));
    for (const auto how : {way_out::exit, way_out::underscore_exit, way_out::quick_exit}) {
      *way = static_cast<int>(how);
      const auto lost = error_that_ends<worker_lost>(workers, 20, 7);
      expect_blame(lost, 7, loss_kind::exited, 0);
      expect(std::string_view(lost.what()).find("exited with status 0 inside a task") != std::string_view::npos,
             "the error says that the worker exited inside a task");
    }
    *way = static_cast<int>(way_out::terminate);
    expect_blame(error_that_ends<worker_lost>(workers, 20, 7), 7, loss_kind::killed, SIGABRT);
    expect_healthy(workers, 7);
  }
  expect(*ends == 0, "neither handlers nor destructors of the host run in a worker");
  ends_in_a_child = nullptr;
}

// --- A3: a worker dies between tasks

FAULT("A3", "an idle worker that is killed is replaced; nothing is lost and no task is blamed") {
  auto workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, processes(2));
  for (int round = 0; round < 3; ++round) {
    expect_healthy(workers, 20);
    wait_until([] { return worker_pids().size() == 2; }, "there are two workers");
    const auto before = worker_pids();
    ::kill(before.front(), SIGKILL);
    expect_healthy(workers, 20); // with retries = 0 a blamed task would be an error
    wait_until([&] { return worker_pids().size() == 2 && worker_pids() != before; }, "the worker is replaced");
  }
}

FAULT("A3-waiting", "workers that are killed while they wait for tasks in the middle of a map cost nothing") {
  auto workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, processes(2));
  std::int64_t i = 0;
  for (const std::string& result : workers.map(arguments(10))) {
    expect(result == answer(i++), "the results are right");
    if (i != 10) continue; // all were answered: whoever lives is idle
    for (const pid_t pid : worker_pids()) ::kill(pid, SIGKILL);
  }
  expect(i == 10, "all results came");
  expect_healthy(workers, 20);
}

FAULT("A3-all", "maps whose workers are all killed at once complete or fail once, and never hang") {
  auto workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, processes(2));
  for (int round = 0; round < 50; ++round) {
    std::int64_t i = 0, n_lost = 0;
    for (const auto& outcome : workers.map_outcomes(arguments(40))) {
      if (i == round % 40)
        for (const pid_t pid : worker_pids()) ::kill(pid, SIGKILL);
      if (outcome.has_value())
        expect(outcome.value() == answer(i), "the results are right");
      else
        expect(dynamic_cast<const worker_lost&>(outcome.error()).code == SIGKILL && ++n_lost <= 2,
               "no more tasks are lost than workers were killed");
      ++i;
    }
    expect(i == 40, "the map comes to its end");
  }
  expect_healthy(workers, 40);
}

// --- A4, A5: a worker dies while it answers

FAULT("A4", "a worker that is killed while it writes a result of ten times the ring: no torn result is ever seen") {
  shared_int die_at, n_pieces;
  on_fault_point([&](std::string_view point) {
    if (point == "piece_published" && task_here == 3 && ++*n_pieces == *die_at) die();
    return false;
  });
  auto workers = make_pool(
      [](std::int64_t x, task_context&) {
        task_here = x;
        return large_answer(x, x == 3 ? std::size_t{10} << 20 : std::size_t{100'000});
      },
      processes(2));
  const auto run = [&](int piece, bool is_whole) {
    *die_at = piece;
    *n_pieces = 0;
    std::int64_t i = 0;
    for (const auto& outcome : workers.map_outcomes(arguments(6))) {
      if (i != 3)
        expect(outcome.value() == large_answer(i, 100'000), "the other results are whole");
      else if (is_whole)
        expect(outcome.value() == large_answer(3), "a result that is complete is delivered, whole");
      else
        expect_blame(dynamic_cast<const worker_lost&>(outcome.error()), 3, loss_kind::killed, SIGKILL);
      ++i;
    }
    expect(i == 6, "the map comes to its end");
  };
  run(0, true); // nobody dies
  const int pieces_in_all = *n_pieces;
  expect(pieces_in_all > 20, "the result travels in many pieces");
  for (const int piece : {1, 2, pieces_in_all / 2, pieces_in_all - 1, pieces_in_all}) {
    run(piece, piece == pieces_in_all);
    expect(*n_pieces == piece, "the worker died where it was to");
  }
}

FAULT("A4-retried", "a result that was torn by a death comes whole from another attempt") {
  shared_int n_pieces;
  on_fault_point([&](std::string_view point) {
    if (point == "piece_published" && task_here == 3 && ++*n_pieces == 5) die();
    return false;
  });
  auto workers = make_pool(
      [](std::int64_t x, task_context&) {
        task_here = x;
        return large_answer(x, x == 3 ? std::size_t{10} << 20 : std::size_t{100});
      },
      processes(2, 1));
  std::int64_t i = 0;
  for (const std::string& result : workers.map(arguments(6))) {
    expect(result == large_answer(i, i == 3 ? std::size_t{10} << 20 : std::size_t{100}), "the results are whole");
    ++i;
  }
  expect(i == 6 && *n_pieces > 5, "the task ran twice");
}

FAULT("A4-full-ring",
      "a worker that is killed while it waits for room for a large result: no torn result is ever seen") {
  shared_int killed, idle;
  on_fault_point([&](std::string_view point) {
    if (point == "waiting_for_room" && killed->exchange(1) == 0) die();
    if (point == "waiting_for_task") *idle = 1;
    return false;
  });
  auto workers = make_pool([](std::int64_t x, task_context&) { return large_answer(x); }, processes(1));
  std::int64_t i = 0, n_lost = 0;
  for (const auto& outcome : workers.map_outcomes(arguments(4))) {
    if (outcome.has_value()) {
      expect(outcome.value() == large_answer(i), "the results are whole");
    } else {
      expect_blame(dynamic_cast<const worker_lost&>(outcome.error()), static_cast<std::size_t>(i), loss_kind::killed,
                   SIGKILL);
      ++n_lost;
    }
    ++i; // here the host is away, and its worker finds no room
    wait_until([&] { return *killed == 1 || *idle == 1; }, "the worker waits for room, or has nothing to do");
    *idle = 0;
  }
  expect(i == 4 && *killed == 1 && n_lost == 1, "one task was lost to the full ring");
}

namespace {

/// Brings a batch of tasks onto one worker's queue before the first of them runs: quick tasks teach the host to send
/// many ahead, then a gate task waits until the source was asked for the whole batch. Where the queue did not get so
/// long (a busy machine), the gate gives up and another round follows.
class queued_batch {
 public:
  enum class role { warm_up, gate, member };

  explicit queued_batch(int size) : size_(size) {}

  auto source() const {
    return std::views::iota(std::int64_t{0}, most_rounds * length()) | std::views::transform([this](std::int64_t x) {
             *given_ = x;
             return x;
           });
  }

  role role_of(std::int64_t x) const {
    const std::int64_t place = x % length();
    return place < n_warm_up ? role::warm_up : place == n_warm_up ? role::gate : role::member;
  }
  /// From 0.
  int member_number(std::int64_t x) const { return static_cast<int>(x % length() - n_warm_up - 1); }
  bool ends_with(std::int64_t x) const { return member_number(x) == size_ - 1; }

  /// In the worker.
  void wait_at_gate(std::int64_t x) const {
    const auto limit = std::chrono::steady_clock::now() + milliseconds(20);
    while (*given_ < x + size_)
      if (std::chrono::steady_clock::now() > limit) return;
    std::int64_t expected = 0;
    gate_->compare_exchange_strong(expected, x);
  }
  /// Whether x is of the first batch that was queued as a whole, its gate included.
  bool is_queued(std::int64_t x) const { return *gate_ != 0 && *gate_ / length() == x / length(); }

 private:
  static constexpr std::int64_t n_warm_up = 400, most_rounds = 1000;
  std::int64_t length() const { return n_warm_up + 1 + size_; }

  int size_;
  shared<std::atomic<std::int64_t>> given_, gate_;
};

} // namespace

FAULT("A4-full-ring-small", "a worker that is killed while it waits for room for a small result: the same") {
  constexpr int batch_size = 8; // of which the ring holds four
  const auto middling_answer = [](std::int64_t x) { return large_answer(x, 200'000); };
  const queued_batch batch(batch_size);
  shared_int killed, idle;
  on_fault_point([&](std::string_view point) {
    if (point == "waiting_for_room" && killed->exchange(1) == 0) die();
    if (point == "waiting_for_task") *idle = 1;
    if (point == "task_started") *idle = 0;
    return false;
  });
  auto workers = make_pool(
      [&](std::int64_t x, task_context&) {
        task_here = x;
        if (batch.role_of(x) == queued_batch::role::gate) batch.wait_at_gate(x);
        return batch.role_of(x) == queued_batch::role::member ? middling_answer(x) : answer(x);
      },
      processes(1));
  std::int64_t x = 0;
  bool is_lost = false;
  for (const auto& outcome : workers.map_outcomes(batch.source())) {
    const auto role = batch.role_of(x);
    is_lost = !outcome.has_value();
    if (is_lost) {
      expect_blame(dynamic_cast<const worker_lost&>(outcome.error()), static_cast<std::size_t>(x), loss_kind::killed,
                   SIGKILL);
      break;
    }
    expect(outcome.value() == (role == queued_batch::role::member ? middling_answer(x) : answer(x)),
           "the results are whole");
    if (role == queued_batch::role::gate) // here the host is away
      wait_until([&] { return *killed == 1 || *idle == 1; }, "the worker waits for room, or has nothing to do");
    ++x;
  }
  expect(is_lost && *killed == 1, "one task was lost to the full ring");
  expect_healthy(workers, 100);
}

namespace {

/// Many tasks of two workers whose arguments and results are a few bytes; at that point in those tasks workers die.
class short_tasks {
 public:
  short_tasks(bool (*dies)(std::int64_t), std::string_view point) {
    on_fault_point([=](std::string_view here) {
      if (here == point && dies(task_here)) die();
      return false;
    });
  }

  void expect_each_once(bool (*is_lost)(std::int64_t)) const {
    invoker inv{n_runs_,
                [](const auto& count, std::int64_t x) {
                  task_here = x;
                  ++(*count)[static_cast<std::size_t>(x)];
                  return 3 * x;
                },
                processes(2)};
    std::int64_t i = 0;
    for (const auto& outcome : inv.map_outcomes(std::views::iota(std::int64_t{0}, n))) {
      if (is_lost(i))
        expect_blame(dynamic_cast<const worker_lost&>(outcome.error()), static_cast<std::size_t>(i), loss_kind::killed,
                     SIGKILL);
      else
        expect(outcome.value() == 3 * i, "the results are whole, and in order");
      ++i;
    }
    expect(i == n, "there is an outcome for each");
    for (const auto& count : *n_runs_) expect(count == 1, "each task runs once");
  }

 private:
  static constexpr std::int64_t n = 200'000; // by the time of the deaths workers are known to be fast
  shared<std::array<std::atomic<unsigned char>, n>> n_runs_;
};

} // namespace

FAULT("A5", "a worker that is killed when its result is complete: the result is delivered and nobody is blamed") {
  constexpr std::int64_t n = 12;
  shared<std::array<std::atomic<int>, n>> n_runs;
  on_fault_point([&](std::string_view point) {
    if (point == "task_answered" && task_here % 4 == 1) die();
    return false;
  });
  const auto answer_of = [](std::int64_t x) { return x == 5 ? large_answer(x) : answer(x); };
  auto workers = make_pool(
      [&](std::int64_t x, task_context&) {
        task_here = x;
        ++(*n_runs)[static_cast<std::size_t>(x)];
        return answer_of(x);
      },
      processes(2));
  std::int64_t i = 0;
  for (const std::string& result : workers.map(arguments(n))) expect(result == answer_of(i++), "each result is whole");
  expect(i == n, "all results come");
  for (const auto& runs : *n_runs) expect(runs == 1, "each task runs once");
}

FAULT("A5-run",
      "workers that are killed when a short result is complete, in the middle of the frame that it shares: all "
      "results are delivered, and nobody is blamed") {
  const short_tasks all([](std::int64_t x) { return x % 1000 == 500 && x >= 150'000 && x < 160'000; }, "task_answered");
  all.expect_each_once([](std::int64_t) { return false; });
}

FAULT("A4-run", "a worker that is killed when a short result is written and not counted: that task alone is lost") {
  const auto is_lost = [](std::int64_t x) { return x == 150'017; };
  const short_tasks all(is_lost, "run_result_written");
  all.expect_each_once(is_lost);
}

// --- A6: nobody else's life tells of a worker's death

namespace {

bool is_gone(pid_t pid) { return ::kill(pid, 0) != 0; }

/// A process that keeps every descriptor of its parent open and lives until it is killed.
pid_t fork_a_keeper() {
  const pid_t pid = ::fork();
  if (pid == 0)
    while (true) ::pause();
  return pid;
}

} // namespace

FAULT("A6", "the death of a worker is seen although a process that it forked keeps all its descriptors open, and that "
            "process is ended, too") {
  shared_int keeper;
  shared_moment death;
  auto workers = make_pool(
      [&](std::int64_t x, task_context&) {
        if (x == 7) {
          *keeper = fork_a_keeper();
          death.set_now();
          die();
        }
        return answer(x);
      },
      processes(2));
  expect_blame(error_that_ends<worker_lost>(workers, 20, 7), 7, loss_kind::killed, SIGKILL);
  death.measure_until_now("death to worker_lost");
  wait_until([&] { return is_gone(*keeper); }, "the process that the worker forked is ended");
  expect_healthy(workers, 7);
}

FAULT("A6-left-behind", "what a task forked and left behind ends with the workers") {
  shared_int keeper;
  {
    auto workers = make_pool(
        [&](std::int64_t x, task_context&) {
          if (x == 3) *keeper = fork_a_keeper();
          return answer(x);
        },
        processes(2));
    expect_healthy(workers, 10);
    expect(!is_gone(*keeper), "the process lives while its worker does");
  }
  expect(is_gone(*keeper), "the process is gone when the invoker is");
}

FAULT("A6-stopped", "an invoker is destroyed although a worker was stopped by SIGSTOP") {
  std::chrono::steady_clock::time_point begin;
  {
    auto workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, processes(2));
    expect_healthy(workers, 10);
    wait_until([] { return worker_pids().size() == 2; }, "there are two workers");
    ::kill(worker_pids().front(), SIGSTOP);
    begin = std::chrono::steady_clock::now();
  }
  measured("the destructor", std::chrono::steady_clock::now() - begin);
}

FAULT("A6-stopped-in-task",
      "an invoker is destroyed although a worker was stopped by SIGSTOP in the middle of a task") {
  shared_int stopped;
  std::chrono::steady_clock::time_point begin;
  {
    auto workers = make_pool(
        [&](std::int64_t x, task_context&) {
          if (x == 1) {
            *stopped = 1;
            ::raise(SIGSTOP);
          }
          return answer(x);
        },
        processes(2));
    for (const std::string& result : workers.map(arguments(10))) {
      expect(result == answer(0), "the first result is right");
      wait_until([&] { return *stopped == 1; }, "the second task runs");
      break;
    }
    begin = std::chrono::steady_clock::now();
  }
  measured("the destructor", std::chrono::steady_clock::now() - begin);
}

// --- A7: who is to blame

FAULT("A7", "of a batch of eight whose third task dies only that one is blamed; those before it are delivered, those "
            "after it run once, elsewhere, with no attempt counted") {
  constexpr int batch_size = 8, culprit = 2;
  const queued_batch batch(batch_size);
  shared<std::array<std::atomic<int>, batch_size>> n_runs, attempt;
  auto workers = make_pool(
      [&](std::int64_t x, task_context& context) {
        if (batch.role_of(x) == queued_batch::role::gate) batch.wait_at_gate(x);
        if (batch.role_of(x) == queued_batch::role::member && batch.is_queued(x)) {
          const auto number = static_cast<std::size_t>(batch.member_number(x));
          ++(*n_runs)[number];
          (*attempt)[number] = context.attempt();
          if (number == culprit) die();
        }
        return answer(x);
      },
      processes(1));
  std::int64_t x = 0, n_lost = 0;
  for (const auto& outcome : workers.map_outcomes(batch.source())) {
    const bool is_member = batch.role_of(x) == queued_batch::role::member && batch.is_queued(x);
    if (is_member && batch.member_number(x) == culprit) {
      expect_blame(dynamic_cast<const worker_lost&>(outcome.error()), static_cast<std::size_t>(x), loss_kind::killed,
                   SIGKILL);
      ++n_lost;
    } else {
      expect(outcome.value() == answer(x), "every other task is delivered");
    }
    if (is_member && batch.ends_with(x)) break;
    ++x;
  }
  expect(n_lost == 1, "there was a batch that was queued as a whole");
  for (const auto& runs : *n_runs) expect(runs == 1, "each task of the batch runs once");
  for (const auto& number : *attempt) expect(number == 1, "that is its first attempt");
}

// --- A8: death at start-up, death of the zygote

namespace {

/// As often as it is asked for, while the error names what cannot be done and the number of forks stays small.
void expect_crash_loop_ends(const std::function<void(int)>& worker_init, const shared_int& n_started) {
  auto options = processes(2);
  options.worker_init = worker_init;
  auto workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, options);
  for (int round = 1; round <= 3; ++round) {
    const auto refused = error_that_ends<resource_error>(workers, 20, 0);
    expect(std::string_view(refused.what()).find("worker") != std::string_view::npos, "the error speaks of workers");
    expect(*n_started <= round * 12, "no fork bomb: few workers were started: " + std::to_string(*n_started));
  }
}

/// While it lives this process is the parent of orphans among its descendants, as PID 1 is.
struct subreaper {
  subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }
  ~subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }
  subreaper(const subreaper&) = delete;
  subreaper& operator=(const subreaper&) = delete;
};

void kill_the_zygote(const shared_moment& death) {
  death.set_now();
  ::kill(zygote_pids().at(0), SIGKILL);
  wait_until([] { return zygote_pids().empty(); }, "the zygote is dead"); // else its workers may do yet another map
}

void expect_no_child(std::string_view what) { expect(::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD, what); }

/// The map ends with the loss of the zygote, and so does every later one.
void expect_zygote_lost(pool& workers, const shared_moment& death) {
  const auto lost_in = [&] {
    try {
      for (const auto& outcome : workers.map_outcomes(arguments(20)))
        expect(outcome.has_value(), "no task is blamed for the death of the zygote");
    } catch (const worker_lost& lost) {
      expect(lost.kind == loss_kind::zygote && !lost.task, "the error tells of the zygote and blames no task");
      return true;
    }
    return false;
  };
  expect(lost_in(), "the map ends with worker_lost");
  death.measure_until_now("death of the zygote to worker_lost");
  expect(lost_in(), "every later map ends with worker_lost, too");
}

/// The zygote is killed at a fault point of itself or of a worker, which knows it by `zygote_there`. No task that
/// begins later ends, so that the map cannot be done before the death is noticed.
void expect_zygote_lost_at(std::string_view point, const std::function<pid_t()>& zygote_there,
                           invoker_options options = processes(2), std::int64_t stuck_task = -1) {
  const subreaper as_pid_1_would;
  const pid_t self = ::getpid();
  shared_int armed, killed, n_begun;
  shared_moment death;
  on_fault_point([&](std::string_view reached) {
    const bool is_first_of_its_number = reached == "worker_begins" && ++*n_begun <= 2;
    if (reached == point && !is_first_of_its_number && ::getpid() != self && armed->exchange(0) == 1) {
      *killed = 1;
      death.set_now();
      ::kill(zygote_there(), SIGKILL);
    }
    return false;
  });
  {
    auto workers = make_pool(
        [&](std::int64_t x, task_context&) {
          while (x == stuck_task || *killed == 1) ::pause();
          return point == "waiting_for_room" ? large_answer(x) : answer(x);
        },
        std::move(options));
    const bool is_about_a_death = point == "worker_begins" || point == "worker_reaped";
    if (is_about_a_death)
      wait_until([&] { return *n_begun == 2 && worker_pids().size() == 2; }, "there are two workers");
    const auto first_workers = worker_pids();
    *armed = 1;
    if (is_about_a_death)
      for (const pid_t pid : first_workers) ::kill(pid, SIGKILL);
    expect_zygote_lost(workers, death);
  }
  expect_no_child("the workers of the dead zygote are gone and reaped");
}

pid_t self_pid() { return ::getpid(); }
pid_t parent_pid() { return ::getppid(); }

} // namespace

FAULT("A8", "workers that die at start-up, one after the other, end the map with resource_error; no fork bomb") {
  shared_int n_started;
  expect_crash_loop_ends(
      [&](int) {
        ++*n_started;
        die();
      },
      n_started);
}

FAULT("A8-exit", "workers that exit at start-up, one after the other, end the map with resource_error") {
  shared_int n_started;
  expect_crash_loop_ends(
      [&](int) {
        ++*n_started;
        std::exit(0);
      },
      n_started);
}

FAULT("A8-first-instruction", "workers that die at their first instruction end the map with resource_error") {
  shared_int n_started;
  on_fault_point([&](std::string_view point) {
    if (point != "worker_begins") return false;
    ++*n_started;
    die();
    return false;
  });
  expect_crash_loop_ends({}, n_started);
}

FAULT("A8-unborn-zygote", "a zygote that dies before it is ready is forked again") {
  shared_int n_begun;
  on_fault_point([&](std::string_view point) {
    if (point == "zygote_begins" && ++*n_begun <= 3) die();
    return false;
  });
  auto workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, processes(2));
  expect_healthy(workers, 20);
  expect(*n_begun >= 4, "a later one lives"); // the fourth, unless a busy machine keeps its hello back
}

FAULT("A8-no-zygote", "where every zygote dies before it is ready, the constructor throws resource_error") {
  on_fault_point([&](std::string_view point) {
    if (point == "zygote_begins") die();
    return false;
  });
  try {
    make_pool([](std::int64_t x, task_context&) { return answer(x); }, processes(2));
  } catch (const resource_error&) {
    return;
  }
  expect(false, "the constructor throws");
}

/// Kills the zygote between two maps. For a host that is its workers' next parent.
static void lose_an_idle_zygote() {
  shared_moment death;
  {
    auto workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, processes(2));
    expect_healthy(workers, 20);
    kill_the_zygote(death);
    expect_zygote_lost(workers, death);
  }
  expect_no_child("the workers of the dead zygote are gone and reaped");
}

FAULT("A8-zygote-idle", "a zygote that is killed between two maps: the next one ends with worker_lost, and the orphans "
                        "are gone also where the host is their next parent") {
  const subreaper as_pid_1_would;
  lose_an_idle_zygote();
}

FAULT("A8-zygote-unnoticed", "an invoker whose zygote was killed and that is used no more leaves nothing") {
  const subreaper as_pid_1_would;
  {
    auto workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, processes(2));
    expect_healthy(workers, 20);
    ::kill(zygote_pids().at(0), SIGKILL);
  }
  expect_no_child("the workers of the dead zygote are gone and reaped");
}

FAULT("A8-zygote-task", "a zygote that is killed while its workers run tasks: the map ends with worker_lost") {
  expect_zygote_lost_at("task_started", parent_pid, processes(2), 1);
}

FAULT("A8-zygote-full-ring", "a zygote that is killed while a worker waits for room: the map ends with worker_lost") {
  expect_zygote_lost_at("waiting_for_room", parent_pid);
}

FAULT("A8-zygote-forks", "a zygote that is killed when it is about to fork a worker: the map ends with worker_lost") {
  const subreaper as_pid_1_would;
  const pid_t self = ::getpid();
  shared_int n_forks;
  shared_moment death;
  on_fault_point([&](std::string_view point) {
    if (point == "fork" && ::getpid() != self && ++*n_forks == 2) {
      death.set_now();
      die();
    }
    return false;
  });
  {
    auto workers = make_pool(
        [&](std::int64_t x, task_context&) {
          while (*n_forks >= 2) ::pause(); // the map must not be done before the death is noticed
          return answer(x);
        },
        processes(2));
    expect_zygote_lost(workers, death);
  }
  expect_no_child("the workers of the dead zygote are gone and reaped");
}

FAULT("A8-zygote-forked", "a zygote that is killed when a worker begins, which nobody else knows of yet: the map ends "
                          "with worker_lost and that worker is gone") {
  expect_zygote_lost_at("worker_begins", parent_pid);
}

FAULT("A8-zygote-reaps", "a zygote that is killed when it has reaped a worker: the map ends with worker_lost") {
  expect_zygote_lost_at("worker_reaped", self_pid);
}

FAULT("A8-zygote-kills",
      "a zygote that is killed when it is about to end an overdue task: the map ends with worker_lost") {
  auto options = processes(2);
  options.task_timeout = milliseconds(100);
  expect_zygote_lost_at("about_to_kill", self_pid, options, 1);
}

FAULT("A8-zygote-plain-host", "a zygote that is killed under a host that is nobody's next parent: the map ends with "
                              "worker_lost, and the workers are gone") {
  const subreaper for_the_orphans;
  const pid_t host_pid = ::fork();
  if (host_pid == 0) {
    auto workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, processes(2));
    expect_healthy(workers, 20);
    shared_moment death;
    kill_the_zygote(death);
    expect_zygote_lost(workers, death);
    ::_exit(0);
  }
  int status = 0;
  expect(::waitpid(host_pid, &status, 0) == host_pid && status == 0, "the host lives on");
  wait_until([] { return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }, "the orphans are gone");
}

namespace {

/// As the first process of a PID namespace with a procfs of its own. Nothing where that is not allowed.
std::optional<int> status_as_pid_1(const std::function<void()>& fn) {
  constexpr int not_allowed = 77;
  const pid_t outer = ::fork();
  if (outer == 0) {
    if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) ::_exit(not_allowed);
    const pid_t first = ::fork();
    if (first == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount("proc", "/proc", "proc", 0, nullptr) != 0)
        ::_exit(not_allowed);
      fn();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(first, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  int status = 0;
  ::waitpid(outer, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == not_allowed) return std::nullopt;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

} // namespace

FAULT("A8-zygote-pid-1", "a zygote that is killed under a host that is PID 1: its workers are gone and reaped") {
  const auto status = status_as_pid_1([] {
    expect(::getpid() == 1, "this is PID 1");
    lose_an_idle_zygote();
  });
  if (!status) std::puts("skipped: no PID namespace may be made here");
  expect(status.value_or(0) == 0, "all is well as PID 1");
}
