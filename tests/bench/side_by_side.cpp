// lk-parallel | SPDX-License-Identifier: MIT

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <ranges>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <lk/parallel.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "side_by_side/contest.hpp"
#include "side_by_side/contestants.hpp"
#include "side_by_side/limits.hpp"
#include "side_by_side/workloads.hpp"

// The invoker, what people would write without it, and what bare code reaches, on the same work in one run: by turns,
// several times, medians. Prints one line of JSON for each figure.

namespace side_by_side {
namespace {

using lk::parallel::execution;

struct settings {
  bool quick = false;
  int repetitions = 5;
  int workers = 2;
  std::vector<std::string> workloads;
  std::vector<std::string> contestants;
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double median_of(const std::vector<figures>& runs, double figures::*which) {
  std::vector<double> values;
  for (const figures& run : runs) values.push_back(run.*which);
  return median(std::move(values));
}

void print(const nlohmann::ordered_json& line) { std::cout << line.dump() << std::endl; }

bool is_asked_for(const std::vector<std::string>& asked, const std::string& name) {
  return asked.empty() || std::ranges::find(asked, name) != asked.end();
}

/// One contestant of a workload, by name: one run.
using entry = std::pair<std::string, std::function<figures()>>;

/// All entries by turns, several times. Throws: std::runtime_error where they disagree about the results.
void run_by_turns(const settings& asked, const char* workload, std::size_t n_tasks, std::vector<entry> entries) {
  std::erase_if(entries, [&](const entry& one) { return !is_asked_for(asked.contestants, one.first); });
  std::map<std::string, std::vector<figures>> runs;
  std::optional<std::uint64_t> checksum;
  for (int round = 0; round < asked.repetitions; ++round) {
    for (const auto& [name, run] : entries) {
      const figures got = run();
      if (!checksum) checksum = got.checksum;
      if (got.checksum != *checksum)
        throw std::runtime_error(std::string(workload) + ": " + name + " has other results");
      runs[name].push_back(got);
    }
  }
  const auto n = static_cast<double>(2 * n_tasks);
  for (const auto& [name, ignored] : entries) {
    const auto& all = runs[name];
    print({{"workload", workload},
           {"contestant", name},
           {"workers", asked.workers},
           {"tasks_per_second", n / median_of(all, &figures::work)},
           {"first_result_ms", 1e3 * median_of(all, &figures::first_result)},
           {"work_seconds", median_of(all, &figures::work)},
           {"whole_seconds", median_of(all, &figures::whole)},
           {"cpu_here_seconds", median_of(all, &figures::cpu_here)},
           {"cpu_workers_seconds", median_of(all, &figures::cpu_workers)}});
  }
}

template <class W>
std::vector<entry> usual_entries(const settings& asked, const typename W::model_type& model,
                                 const std::vector<typename W::argument>& arguments) {
  std::vector<entry> entries;
  for (const contestant<W>& one :
       {serial<W>(), invoker<W>("lk processes", execution::processes), invoker<W>("lk threads", execution::threads),
        tbb_for<W>(), tbb_pipeline<W>(), pipes<W>()})
    entries.emplace_back(one.name, [&, one] { return measure(one, model, arguments, asked.workers); });
  return entries;
}

template <class W> void compare(const settings& asked) {
  const typename W::model_type model = W::model(asked.quick);
  const auto arguments = W::arguments(asked.quick);
  auto entries = usual_entries<W>(asked, model, arguments);
  if constexpr (std::is_trivially_copyable_v<typename W::result>)
    entries.emplace_back("limit: bare ring", [&] {
      return measure_bare_ring<W, typename W::result>(model, arguments, asked.workers, &W::apply, &W::digest);
    });
  run_by_turns(asked, W::name, arguments.size(), std::move(entries));
}

struct kib_64 {
  char bytes[big_result::bytes];
};

void compare_big_results(const settings& asked) {
  using W = big_result;
  const auto model = W::model(asked.quick);
  const auto arguments = W::arguments(asked.quick);
  auto entries = usual_entries<W>(asked, model, arguments);
  entries.emplace_back("limit: bare ring", [&] {
    const auto make = [](const W::model_type& m, W::argument) {
      kib_64 slot;
      std::memcpy(slot.bytes, m.data(), sizeof slot.bytes);
      return slot;
    };
    const auto digest = [](const kib_64& slot) {
      static thread_local std::vector<char> copy(W::bytes);
      std::memcpy(copy.data(), slot.bytes, sizeof slot.bytes); // what a user of a vector has to pay for
      return W::digest(copy);
    };
    return measure_bare_ring<W, kib_64>(model, arguments, asked.workers, make, digest);
  });
  run_by_turns(asked, W::name, arguments.size(), std::move(entries));
}

/// What workers over a big model cost: the first result, beside two bare forks, and the memory that they add.
void measure_big_model_in(const settings& asked, const big_model::model_type& model, const char* where) {
  using W = big_model;
  const auto arguments = W::arguments(asked.quick);
  std::vector<double> forks, firsts, written;
  for (int round = 0; round < asked.repetitions; ++round) {
    forks.push_back(two_forks());
    const auto begin = clock::now();
    lk::parallel::invoker workers{model,
                                  [](const W::model_type& m, W::argument x) { return W::apply(m, x); },
                                  {.n_jobs = asked.workers, .where = execution::processes}};
    bool is_first = true;
    for ([[maybe_unused]] const auto result : workers.map(arguments))
      if (std::exchange(is_first, false)) firsts.push_back(seconds_since(begin));
    for (const lk::parallel::worker_stats& worker : workers.stats().each)
      written.push_back(static_cast<double>(worker.private_dirty_bytes));
  }
  print({{"workload", "bigmodel"}, {"pages", where}, {"figure", "two bare forks"}, {"ms", 1e3 * median(forks)}});
  print({{"workload", "bigmodel"},
         {"pages", where},
         {"figure", "first result of lk processes"},
         {"ms", 1e3 * median(firsts)},
         {"more_than_two_forks_ms", 1e3 * (median(firsts) - median(forks))}});
  print({{"workload", "bigmodel"},
         {"pages", where},
         {"figure", "memory of one worker's own"},
         {"MiB", median(written) / 1048576}});
}

void measure_big_model(const settings& asked) {
  big_model::model_type model = big_model::model(asked.quick);
  measure_big_model_in(asked, model, "small");
  if (lk::parallel::prefer_huge_pages(model)) measure_big_model_in(asked, model, "huge");
}

/// One task at a time: the source waits for the result of the one before.
void measure_round_trip(const settings& asked) {
  const int n = asked.quick ? 2000 : 10'000;
  std::vector<double> bare, ours;
  for (int round = 0; round < asked.repetitions; ++round) {
    bare.push_back(median(futex_round_trips(n)));
    const int model = 1;
    lk::parallel::invoker workers{
        model, [](int m, int x) { return m + x; }, {.n_jobs = 1, .where = execution::processes, .window = 1}};
    std::vector<double> times;
    auto begin = clock::now();
    for ([[maybe_unused]] const int result : workers.map(std::views::iota(0, n))) {
      times.push_back(seconds_since(begin));
      begin = clock::now();
    }
    ours.push_back(median(times));
  }
  print({{"workload", "roundtrip"}, {"figure", "futex ping-pong"}, {"microseconds", 1e6 * median(bare)}});
  print({{"workload", "roundtrip"},
         {"figure", "lk processes, window 1"},
         {"microseconds", 1e6 * median(ours)},
         {"ratio", median(ours) / median(bare)}});
}

/// An invoker over a small model: made, used for one task, and gone.
void measure_start_and_stop(const settings& asked) {
  std::vector<double> times;
  for (int round = 0; round < 20 * asked.repetitions; ++round) {
    const int model = 1;
    const auto begin = clock::now();
    {
      lk::parallel::invoker workers{
          model, [](int m, int x) { return m + x; }, {.n_jobs = asked.workers, .where = execution::processes}};
      for ([[maybe_unused]] const int result : workers.map(std::views::single(1))) {
      }
    }
    times.push_back(seconds_since(begin));
  }
  print({{"workload", "startstop"}, {"figure", "lk processes: made, one task, gone"}, {"ms", 1e3 * median(times)}});
}

/// Wall time against the sum of all service times, shared out evenly.
void compare_skewed(const settings& asked) {
  using W = skewed;
  const auto arguments = W::arguments(asked.quick);
  double service = 0;
  for (const W::argument time : arguments) service += 2e-9 * static_cast<double>(time);
  print({{"workload", W::name}, {"figure", "sum of service / workers"}, {"seconds", service / asked.workers}});
  compare<W>(asked);
}

const std::map<std::string, void (*)(const settings&)>& all_workloads() {
  static const std::map<std::string, void (*)(const settings&)> all{
      {"tiny", &compare<tiny>},           {"matvec", &compare<matvec>},
      {"topn", &compare<top_n>},          {"bigresult", &compare_big_results},
      {"skewed", &compare_skewed},        {"bigmodel", &measure_big_model},
      {"roundtrip", &measure_round_trip}, {"startstop", &measure_start_and_stop}};
  return all;
}

} // namespace
} // namespace side_by_side

int main(int argc, char** argv) {
  using namespace side_by_side;
  settings asked;
  CLI::App app("The invoker, what people would write without it, and what bare code reaches, on the same work.",
               "side_by_side");
  app.add_flag("--quick", asked.quick, "Less work and three repetitions: under a minute");
  app.add_option("--repetitions", asked.repetitions, "Runs of each contestant, by turns; the median counts")
      ->check(CLI::Range(1, 1000));
  app.add_option("--workers", asked.workers, "Workers, or threads, of each contestant")->check(CLI::Range(1, 1024));
  std::vector<std::string> names;
  for (const auto& [name, ignored] : all_workloads()) names.push_back(name);
  app.add_option("--workload", asked.workloads, "Only these; repeatable")->check(CLI::IsMember(names));
  app.add_option("--contestant", asked.contestants, "Only these; repeatable");
  CLI11_PARSE(app, argc, argv);
  if (asked.quick && app.count("--repetitions") == 0) asked.repetitions = 3;
  spdlog::set_default_logger(spdlog::stderr_color_mt("side_by_side")); // standard output is for figures
  try {
    lk::parallel::initialize({.processes = asked.workers, .threads = asked.workers, .child_threads = 1});
    for (const auto& [name, run] : all_workloads())
      if (is_asked_for(asked.workloads, name)) run(asked);
  } catch (const std::exception& e) {
    std::cerr << "side_by_side: " << e.what() << '\n';
    return 1;
  }
}
