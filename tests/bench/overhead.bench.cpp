// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <ranges>
#include <vector>

#include <spdlog/spdlog.h>

// What a progress display, and log lines that nobody wants, add to a map of 20-microsecond tasks: both kinds of map by
// turns, the ratio of the medians as counter `ratio`.

namespace {

using clock_type = std::chrono::steady_clock;
constexpr int n_tasks = 20'000;

/// Keeps the processor busy for 20 microseconds.
int busy(int x) {
  for (const auto end = clock_type::now() + std::chrono::microseconds(20); clock_type::now() < end;) {
  }
  return x;
}

template <class Fn> double seconds_of(lk::parallel::invoker<const int&, Fn>& workers) {
  const auto begin = clock_type::now();
  int n = 0;
  for ([[maybe_unused]] const int x : workers.map(std::views::iota(0, n_tasks))) ++n;
  benchmark::DoNotOptimize(n);
  return std::chrono::duration<double>(clock_type::now() - begin).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

void progress_and_dropped_logs(benchmark::State& state) {
  static const int model = 0;
  const lk::parallel::invoker_options plain{.n_jobs = static_cast<int>(state.range(0)),
                                            .where = lk::parallel::execution::processes};
  auto told = plain;
  told.progress = lk::parallel::invoke_progress("bench", "scoring", n_tasks, "tasks");
  lk::parallel::invoker silent{model, [](int, int x) { return busy(x); }, plain};
  lk::parallel::invoker talking{model,
                                [](int, int x) {
                                  spdlog::debug("task {}", x); // below the level: dropped in the worker
                                  return busy(x);
                                },
                                told};
  std::vector<double> without, with;
  for ([[maybe_unused]] auto _ : state) {
    without.push_back(seconds_of(silent));
    with.push_back(seconds_of(talking));
  }
  state.counters["ratio"] = median(with) / median(without);
  state.SetItemsProcessed(2 * n_tasks * state.iterations());
}
BENCHMARK(progress_and_dropped_logs)
    ->ArgName("workers")
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->Iterations(15)
    ->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
