// lk-parallel | SPDX-License-Identifier: MIT
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <unistd.h>

#include <lk/parallel/backends/random.hpp>

#include "faults/fault.hpp"
#include "faults/pool.hpp"

// Chaos: workers are killed at random, by themselves at fault points and by the host at any instruction; the output of
// the map must be the very bytes of the sequential run. One number, the seed, decides who dies, as far as the order of
// events in several processes can be decided: it is printed, and --seed repeats it.

using namespace lk::parallel;
using namespace lk::parallel::faults;

namespace {

constexpr std::int64_t n_tasks = 250;
constexpr std::uint64_t seed_of_tasks = 20; // the same in all runs: what is to be computed is not left to chance

/// Some bytes to some tens of KiB, by the task's own random stream.
std::string random_text(std::int64_t x, task_context& context) {
  auto& rng = context.rng();
  std::string text = answer(x) + ':';
  const std::size_t n_words = (std::size_t{1} << (rng() % 13)) + rng() % 100;
  for (std::size_t i = 0; i < n_words; ++i) {
    const std::uint64_t word = rng();
    for (int byte = 0; byte < 8; ++byte) text += static_cast<char>(word >> (8 * byte));
  }
  return text;
}

std::vector<std::string> sequential_run() {
  auto in_place = make_pool(random_text, {.where = execution::sequential, .seed = seed_of_tasks});
  return results_of(in_place, arguments(n_tasks));
}

/// A hash of both. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
std::uint64_t mixed(std::uint64_t seed, std::uint64_t number) {
  std::uint64_t z = seed + number * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// Decides at each fault point of a worker whether it dies there.
class reaper {
 public:
  explicit reaper(std::uint64_t seed) : seed_(seed) {
    on_fault_point([this](std::string_view point) {
      if (point == "task_answered") ++state_->n_answered;
      if (!is_in_worker(point)) return false;
      if (mixed(seed_, state_->n_decisions++) % one_in == 0) {
        ++state_->n_killed;
        ::raise(SIGKILL);
      }
      return false;
    });
  }
  ~reaper() { on_fault_point(nullptr); }
  reaper(const reaper&) = delete;
  reaper& operator=(const reaper&) = delete;

  std::uint64_t n_answered() const { return state_->n_answered; }
  std::uint64_t n_killed() const { return state_->n_killed; }
  void note_kill() const { ++state_->n_killed; }

 private:
  static constexpr std::uint64_t one_in = 60;

  static bool is_in_worker(std::string_view point) {
    constexpr std::array points{"worker_begins",   "task_started",     "task_answered",
                                "piece_published", "waiting_for_room", "waiting_for_task"};
    for (const std::string_view known : points)
      if (point == known) return true;
    return false;
  }

  struct state {
    std::atomic<std::uint64_t> n_decisions{0}, n_answered{0}, n_killed{0};
  };
  std::uint64_t seed_;
  shared<state> state_;
};

/// A thread that kills a worker, whatever it is doing, each time that some tens of tasks have been answered.
class assassin {
 public:
  assassin(std::uint64_t seed, const reaper& deaths)
      : thread_([this, seed, &deaths] {
        std::uint64_t next = deaths.n_answered() + interval(seed, 0);
        for (std::uint64_t n = 1; !stop_;) {
          std::this_thread::sleep_for(std::chrono::microseconds(100));
          if (deaths.n_answered() < next) continue;
          const auto workers = worker_pids();
          if (workers.empty()) continue;
          ::kill(workers[mixed(~seed, n) % workers.size()], SIGKILL);
          deaths.note_kill();
          next = deaths.n_answered() + interval(seed, n++);
        }
      }) {}
  ~assassin() {
    stop_ = true;
    thread_.join();
  }
  assassin(const assassin&) = delete;
  assassin& operator=(const assassin&) = delete;

 private:
  static std::uint64_t interval(std::uint64_t seed, std::uint64_t n) { return 20 + mixed(seed ^ n, n) % 40; }

  std::atomic<bool> stop_{false};
  std::thread thread_;
};

std::uint64_t chosen_seed() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::uint64_t seed = wanted_seed().value_or(static_cast<std::uint64_t>(now.count()) % 1'000'000'007);
  std::printf("seed: %llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return seed;
}

std::vector<std::string> values_of(pool& workers) {
  std::vector<std::string> all;
  for (auto&& outcome : workers.map_outcomes(arguments(n_tasks))) all.push_back(std::move(outcome).value());
  return all;
}

} // namespace

FAULT("chaos", "workers are killed at random and their tasks tried again: the results are the very bytes of the "
               "sequential run, for one, two and four workers") {
  const std::uint64_t seed = chosen_seed();
  const auto expected = sequential_run();
  std::uint64_t n_killed = 0;
  for (const int n_jobs : {1, 2, 4}) {
    const reaper deaths(mixed(seed, static_cast<std::uint64_t>(n_jobs)));
    auto workers = make_pool(random_text,
                             {.n_jobs = n_jobs, .where = execution::processes, .retries = 1000, .seed = seed_of_tasks});
    const assassin another_hand(seed, deaths);
    expect(results_of(workers, arguments(n_tasks)) == expected, "map gives the same bytes");
    expect(values_of(workers) == expected, "map_outcomes gives the same bytes");
    n_killed += deaths.n_killed();
  }
  std::printf("%llu workers were killed\n", static_cast<unsigned long long>(n_killed));
  expect(n_killed > 0, "somebody was killed");
}
