// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <ranges>
#include <string>
#include <vector>

// What the invoker costs when the tasks cost nothing: dispatch of 8-byte tasks, the way to the first result over a
// large model, and the memory that a worker owns alone.

namespace {

using lk::parallel::execution;

/// items_per_second is tasks per second. Argument 0: workers.
void dispatch_8_byte_tasks(benchmark::State& state) {
  const int model = 1;
  lk::parallel::invoker inv{model,
                            [](const int& one, std::uint64_t x) { return x + static_cast<std::uint64_t>(one); },
                            {.n_jobs = static_cast<int>(state.range(0)), .where = execution::processes}};
  constexpr std::uint64_t n_tasks = 1'000'000;
  for ([[maybe_unused]] auto _ : state) {
    std::uint64_t sum = 0;
    for (const std::uint64_t result : inv.map(std::views::iota(std::uint64_t{0}, n_tasks))) sum += result;
    if (sum != n_tasks * (n_tasks + 1) / 2) return state.SkipWithError("a result is wrong");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(n_tasks) * state.iterations());
}
BENCHMARK(dispatch_8_byte_tasks)->ArgName("workers")->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

/// Units: KiB, of the calling process.
std::uint64_t private_dirty_kib() {
  std::ifstream lines("/proc/self/smaps_rollup");
  for (std::string word; lines >> word;) {
    std::uint64_t kib = 0;
    if (word == "Private_Dirty:" && lines >> kib) return kib;
  }
  return 0;
}

/// From making an invoker over a resident model to its first result. Argument 0: MiB of model.
void first_result(benchmark::State& state) {
  const std::vector<char> model(static_cast<std::size_t>(state.range(0)) << 20, 'm');
  std::uint64_t kib = 0;
  for ([[maybe_unused]] auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    lk::parallel::invoker inv{
        model,
        [](const std::vector<char>& m, std::size_t at) { return private_dirty_kib() + (m[at] != 'm'); },
        {.n_jobs = 2, .where = execution::processes}};
    for (const std::uint64_t found : inv.map(std::views::single(model.size() / 2))) {
      kib = found;
      state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
  }
  state.counters["worker_private_KiB"] = static_cast<double>(kib);
}
BENCHMARK(first_result)->ArgName("MiB")->Arg(1)->Arg(1024)->UseManualTime()->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
