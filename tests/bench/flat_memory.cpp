// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <ranges>
#include <string>

// Memory while very many tiny tasks run: flat_memory [TASKS [WORKERS]], 100 million and 2 unless told otherwise. A line
// of JSON after each tenth of the tasks, with the memory of host and workers, their process identifiers being the same
// all the time: `proportional` counts shared pages by the number of those who share them.

namespace {

/// Units: bytes.
std::size_t proportional_memory() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string line; std::getline(rollup, line);)
    if (line.starts_with("Pss:")) return std::strtoull(line.c_str() + 4, nullptr, 10) * 1024;
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  const std::uint64_t n = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000'000;
  const int n_workers = argc > 2 ? std::atoi(argv[2]) : 2;
  const std::uint64_t model = 3;
  lk::parallel::invoker inv(model, [](std::uint64_t m, std::uint64_t x) { return x * x + m; },
                            {.n_jobs = n_workers, .where = lk::parallel::execution::processes});
  std::uint64_t done = 0, sum = 0, expected = 0;
  for (const std::uint64_t value : inv.map(std::views::iota(std::uint64_t{0}, n))) {
    sum += value * (done + 1); // knows the order
    expected += (done * done + model) * (done + 1);
    if (++done % std::max<std::uint64_t>(n / 10, 1) != 0) continue;
    std::size_t workers = 0, own = 0;
    for (const auto& worker : inv.stats().each) {
      workers += worker.proportional_bytes;
      own += worker.private_dirty_bytes;
    }
    std::printf("{\"tasks\": %llu, \"host_proportional_bytes\": %zu, \"workers_proportional_bytes\": %zu, "
                "\"workers_private_bytes\": %zu}\n",
                static_cast<unsigned long long>(done), proportional_memory(), workers, own);
    std::fflush(stdout);
  }
  if (done == n && sum == expected) return 0;
  std::fprintf(stderr, "flat_memory: the results are wrong\n");
  return 1;
}
