// lk-parallel | SPDX-License-Identifier: MIT
#include "faults/pool.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include <unistd.h>

#include <lk/parallel/invoker.hpp>

#include <support/procfs.hpp>

#include "faults/fault.hpp"

namespace lk::parallel::faults {

namespace {

using processes_by_pid = std::map<pid_t, testing::process_state>;

bool descends_from_here(const testing::process_state& process, const processes_by_pid& all) {
  const pid_t self = ::getpid();
  for (pid_t parent = process.parent; parent > 0;) {
    if (parent == self) return true;
    const auto found = all.find(parent);
    parent = found == all.end() ? 0 : found->second.parent;
  }
  return false;
}

bool is_named(const testing::process_state& process, const std::string& beginning) {
  return process.name.rfind(beginning, 0) == 0;
}

/// What a task forks has its worker's name as well, and is no worker.
bool was_forked_by_a_worker(const testing::process_state& process, const processes_by_pid& all) {
  const auto parent = all.find(process.parent);
  return parent != all.end() && parent->second.parent != ::getpid() && is_named(parent->second, "lk-worker-");
}

template <class Predicate> std::vector<pid_t> living_processes(Predicate&& is_wanted) {
  processes_by_pid all;
  for (const testing::process_state& process : testing::all_processes()) all[process.pid] = process;
  std::vector<pid_t> found;
  for (const auto& [pid, process] : all)
    if (process.state != 'Z' && process.state != 'X' && is_wanted(process, all)) found.push_back(pid);
  return found;
}

} // namespace

pool make_pool(task fn, invoker_options options) {
  return pool(invoker(
      std::string("model"),
      [fn = std::move(fn)](const std::string&, std::int64_t x, task_context& context) { return fn(x, context); },
      std::move(options)));
}

std::string answer(std::int64_t x) { return "the answer to " + std::to_string(x); }

std::vector<std::int64_t> arguments(std::int64_t n) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<std::string> results_of(pool& workers, const std::vector<std::int64_t>& arguments) {
  std::vector<std::string> all;
  for (std::string& result : workers.map(arguments)) all.push_back(std::move(result));
  return all;
}

void expect_healthy(pool& workers, std::int64_t n) {
  const std::vector<std::string> results = results_of(workers, arguments(n));
  expect(static_cast<std::int64_t>(results.size()) == n, "a map gives as many results as it got arguments");
  for (std::int64_t x = 0; x < n; ++x)
    expect(results[static_cast<std::size_t>(x)] == answer(x), "a map gives the right results in order");
}

std::vector<pid_t> worker_pids() {
  return living_processes([](const testing::process_state& process, const processes_by_pid& all) {
    return is_named(process, "lk-worker-") && process.parent != ::getpid() && descends_from_here(process, all) &&
           !was_forked_by_a_worker(process, all);
  });
}

std::vector<pid_t> zygote_pids() {
  return living_processes([](const testing::process_state& process, const processes_by_pid&) {
    return is_named(process, "lk-zygote-") && process.parent == ::getpid();
  });
}

} // namespace lk::parallel::faults
