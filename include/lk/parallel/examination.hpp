// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <lk/parallel/config/config.hpp>
#include <lk/parallel/config/environment.hpp>
#include <lk/parallel/config/findings.hpp>
#include <lk/parallel/config/machine.hpp>
#include <lk/parallel/config/placement.hpp>
#include <lk/parallel/config/system_facts.hpp>
#include <lk/parallel/config/thread_names.hpp>
#include <lk/parallel/diagnosis.hpp>
#include <lk/parallel/threads/backend_pools.hpp>
#include <lk/parallel/threads/foreign_runtimes.hpp>

// How a diagnosis is put together from what the rooms read. initialize() logs the essentials of it where LK_DEBUG asks.

namespace lk::parallel::front {

/// Pools that keep their size whatever the knobs say, and OpenMP runtimes that do not know of each other.
inline void judge_backends(const std::vector<backend_report>& backends, const ParallelConfig& knobs,
                           const cpu_counts& cpus, std::vector<finding>& found) {
  std::string runtimes;
  int n_runtimes = 0;
  for (const backend_report& pool : backends) {
    if (pool.kind == "OpenMP") {
      runtimes += (n_runtimes++ == 0 ? "" : " and ") + pool.name;
    } else if (!pool.variable.empty() && pool.threads * knobs.processes > cpus.effective) {
      found.push_back({severity::warning, "backend-variable",
                       pool.variable + " gives " + pool.name + " " + std::to_string(pool.threads) +
                           " threads in each of " + std::to_string(knobs.processes) + " workers, on " +
                           std::to_string(cpus.effective) + " CPUs",
                       "Unset " + pool.variable + ", so that LK_NUM_CHILD_THREADS holds, or set it to 1."});
    }
  }
  if (n_runtimes > 1) {
    found.push_back({severity::warning, "openmp-runtimes", runtimes + " are both loaded",
                     "Link everything against one OpenMP runtime: each keeps threads of its own, and the threads of "
                     "one wait busily for work while the other's compute."});
  }
}

constexpr const char* to_string(backend_kind kind) noexcept {
  switch (kind) {
  case backend_kind::blas:
    return "BLAS";
  case backend_kind::openmp:
    return "OpenMP";
  case backend_kind::torch_intra_op:
    return "LibTorch intra-op";
  case backend_kind::torch_inter_op:
    return "LibTorch inter-op";
  }
  return "unknown";
}

inline std::vector<backend_report> report_backends() {
  const threads::backend_pools loaded = threads::backend_pools::find();
  const std::vector<int> openmp = loaded.get_for_this_thread(); // LibTorch's first answer on a thread changes it
  std::vector<backend_report> reports;
  auto count = openmp.begin();
  for (const backend_pool& pool : loaded.all())
    reports.push_back({pool.name, to_string(pool.kind), pool.version, pool.threading_layer,
                       pool.per_thread ? *count++ : pool.threads(), pool.per_thread, pool.variable, pool.file});
  loaded.restore_for_this_thread(openmp);
  return reports;
}

/// Everything but what only the process's runtime knows, which is handed in.
inline diagnosis examine(std::vector<traced_knob> knobs, const ParallelConfig& config, placement bind, bool is_worker) {
  diagnosis all;
  all.knobs = std::move(knobs);
  all.bind = bind;
  all.cpus = config::count_cpus("");
  all.topology = config::read_topology();
  all.system = config::system_facts_now();
  all.backends = report_backends();
  all.threads = config::group_threads("");
  std::vector<finding> found;
  if (is_worker) {
    found.push_back({severity::note, "worker", "this is a worker process, whose knobs are those of a worker",
                     "Call diagnose() in the host to see the whole."});
  }
  config::judge_cpus(config, all.cpus, found);
  config::judge_limits(all.system, config, found);
  config::judge_forking(all.system, config::heap_uses_huge_pages(), found);
  threads::judge_runtimes(threads::find_foreign_runtimes(), found);
  config::judge_devices(all.system, found);
  judge_backends(all.backends, config, all.cpus, found);
  config::judge_core_files(all.system, config::workers_may_dump_core(), found);
  for (const severity level : {severity::warning, severity::note})
    std::ranges::copy_if(found, std::back_inserter(all.findings), [&](const finding& f) { return f.level == level; });
  return all;
}

} // namespace lk::parallel::front
