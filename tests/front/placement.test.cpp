// lk-parallel | SPDX-License-Identifier: MIT
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <oneapi/tbb/parallel_for.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <lk/parallel.hpp>
#include <lk/parallel/base/affinity.hpp>
#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/config/place_workers.hpp>
#include <spdlog/sinks/base_sink.h>
#include <support/catch.hpp>
#include <support/in_child.hpp>
#include <support/procfs.hpp>
#include <threads/rendezvous.hpp>

// Whether the masks that tests/config computes for other machines really come to the threads of this one. The knobs are
// set once in a process, so each case has a process of its own.

using namespace lk::parallel;
using base::cpu_list;
using testing::exited;
using testing::in_child;

namespace {

using masks_by_worker = std::map<int, cpu_list>;

cpu_list host_cpus() { return base::affinity_of(0); }

/// How many CPUs the cases below can use: two, or one where there are no more.
int few() { return static_cast<int>(std::min<std::size_t>(host_cpus().size(), 2)); }

bool has_two_cpus() {
  if (few() == 2) return true;
  WARN("skipped: this process may use one CPU only, and two threads cannot have one each");
  return false;
}

using mask_task = std::pair<int, cpu_list> (*)(const int&, int, task_context&);
std::pair<int, cpu_list> tell_mask(const int&, int, task_context& context) {
  return {context.worker(), base::affinity_of(0)};
}

/// Maps until each of n workers has told its mask; empty where they do not all come, or where one tells two masks.
template <class Invoker> masks_by_worker masks_of_workers(Invoker& inv, int n) {
  masks_by_worker masks;
  for (int round = 0; round < 1000 && masks.size() < static_cast<std::size_t>(n); ++round)
    for (const auto& [worker, mask] : inv.map(std::views::iota(0, 1000)))
      if (masks.emplace(worker, mask).first->second != mask) return {};
  return masks.size() == static_cast<std::size_t>(n) ? masks : masks_by_worker();
}

/// Thread id -> mask, of every thread of this process.
std::map<std::string, cpu_list> masks_of_threads() {
  std::map<std::string, cpu_list> masks;
  for (const std::string& id : testing::names_in("/proc/self/task")) {
    cpu_list mask = base::affinity_of(std::atoi(id.c_str()));
    if (!mask.empty()) masks[id] = std::move(mask); // empty: the thread has just ended
  }
  return masks;
}

/// Whether every thread of this process has this mask. Blocks: until then, at most some seconds, since a joined thread
/// can linger in procfs for a moment.
bool all_threads_have(const cpu_list& expected) {
  const auto limit = base::deadline::after(std::chrono::seconds(10));
  while (true) {
    const auto masks = masks_of_threads();
    if (std::all_of(masks.begin(), masks.end(), [&](const auto& entry) { return entry.second == expected; }))
      return true;
    if (limit.passed()) return false;
    ::poll(nullptr, 0, 5);
  }
}

/// Masks of the calling thread and of the oneTBB threads that help it, by what this_task_arena calls the thread.
/// Empty where fewer than n threads came.
masks_by_worker masks_in_arena(int n) {
  masks_by_worker masks;
  std::mutex one_at_a_time;
  testing::rendezvous meeting(static_cast<std::size_t>(n));
  oneapi::tbb::parallel_for(0, n, [&](int) {
    const bool all_came = meeting.meet();
    const std::lock_guard lock(one_at_a_time);
    if (all_came) masks[oneapi::tbb::this_task_arena::current_thread_index()] = base::affinity_of(0);
  });
  return masks;
}

std::vector<config::worker_place> expected_places(placement mode, int n_workers, int threads_each) {
  return config::place_workers_here({.mode = mode, .n_workers = n_workers, .threads_each = threads_each});
}

/// Runs fn and hands back what was logged meanwhile.
template <class Fn> std::string logged_during(Fn&& fn) {
  std::ostringstream text;
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)));
  fn();
  return text.str();
}

/// What making this invoker is refused with; empty where it is not.
std::string refusal_of(const invoker_options& options) {
  try {
    const invoker inv{1, mask_task(tell_mask), options};
    return "";
  } catch (const config_error& e) {
    return e.variable + '|' + e.text + '|' + e.what();
  }
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The kernel's memory policy of the calling thread; -1 where it does not tell.
int memory_policy() {
  int policy = -1;
  return ::syscall(SYS_get_mempolicy, &policy, nullptr, 0UL, nullptr, 0UL) == 0 ? policy : -1;
}

} // namespace

TEST_CASE("each worker, in processes and in threads, runs on CPUs of its own") {
  const auto where = GENERATE(execution::processes, execution::threads);
  const auto mode = GENERATE(placement::spread, placement::compact, placement::numa);
  CHECK(in_child([&] {
          initialize({.threads = 1, .child_threads = 1});
          const int n = few();
          const auto places = expected_places(mode, n, 1);
          const cpu_list before = host_cpus();
          invoker inv{1, mask_task(tell_mask), {.n_jobs = n, .where = where, .placement = mode}};
          const masks_by_worker masks = masks_of_workers(inv, n);
          if (masks.empty()) return 1;
          for (const auto& [worker, mask] : masks)
            if (mask != places[static_cast<std::size_t>(worker)].cpus || mask.size() != 1) return 2;
          return host_cpus() == before && all_threads_have(before) ? 0 : 3;
        }) == exited(0));
}

TEST_CASE("a worker is in its place when worker_init runs") {
  const auto where = GENERATE(execution::processes, execution::threads);
  CHECK(in_child([&] {
          initialize({.threads = 1, .child_threads = 1});
          const auto places = expected_places(placement::compact, few(), 1);
          const auto look = [&](int worker) {
            if (base::affinity_of(0) != places[static_cast<std::size_t>(worker)].cpus)
              throw std::runtime_error("in the wrong place");
          };
          invoker inv{1,
                      mask_task(tell_mask),
                      {.n_jobs = few(), .where = where, .worker_init = look, .placement = placement::compact}};
          return masks_of_workers(inv, few()).empty() ? 1 : 0;
        }) == exited(0));
}

TEST_CASE("without placement, workers run wherever the host may") {
  const auto where = GENERATE(execution::processes, execution::threads);
  CHECK(in_child([&] {
          initialize({.threads = 1, .child_threads = 1});
          invoker inv{1, mask_task(tell_mask), {.n_jobs = 2, .where = where}};
          const masks_by_worker masks = masks_of_workers(inv, 2);
          return masks.size() == 2 && masks.at(0) == host_cpus() && masks.at(1) == host_cpus() ? 0 : 1;
        }) == exited(0));
}

TEST_CASE("a sequential invoker leaves the thread of its user alone") {
  CHECK(in_child([] {
          ::setenv("LK_BIND", "spread", 1);
          initialize({.threads = 1, .child_threads = 1});
          invoker inv{1, mask_task(tell_mask), {.n_jobs = 1, .placement = placement::compact}};
          return masks_of_workers(inv, 1) == masks_by_worker{{0, host_cpus()}} ? 0 : 1;
        }) == exited(0));
}

TEST_CASE("the oneTBB threads of a worker have a CPU each, and its main thread keeps all of them") {
  if (!has_two_cpus()) return;
  const auto where = GENERATE(execution::processes, execution::threads);
  const bool host_used_tbb = GENERATE(false, true);
  CHECK(in_child([&] {
          initialize({.threads = 2, .backend_threads = 1, .child_threads = 2});
          const cpu_list before = host_cpus();
          if (host_used_tbb) with_training_threads([] { (void)masks_in_arena(2); });
          const auto place = expected_places(placement::spread, 1, 2).at(0);
          {
            invoker inv{1,
                        [](const int&, int) { return masks_in_arena(2); },
                        {.n_jobs = 1, .where = where, .placement = placement::spread}};
            for (const masks_by_worker& masks : inv.map(std::views::iota(0, 20)))
              if (masks != masks_by_worker{{0, place.cpus}, {1, place.threads[1]}}) return 1;
          }
          return all_threads_have(before) ? 0 : 2;
        }) == exited(0));
}

TEST_CASE("a thread that a task makes has the CPUs of its worker") {
  CHECK(in_child([] {
          initialize({.threads = 1, .child_threads = few()});
          const auto place = expected_places(placement::compact, 1, few()).at(0);
          const auto of_new_thread = [](const int&, int) {
            cpu_list mask;
            std::thread([&] { mask = base::affinity_of(0); }).join();
            return mask;
          };
          invoker inv{1, of_new_thread, {.n_jobs = 1, .where = execution::processes, .placement = placement::compact}};
          for (const cpu_list& mask : inv.map(std::views::iota(0, 3)))
            if (mask != place.cpus) return 1;
          return 0;
        }) == exited(0));
}

TEST_CASE("where libraries choose their threads, a worker keeps its whole share") {
  CHECK(in_child([] {
          initialize({.threads = 1, .child_threads = -1});
          const auto places = expected_places(placement::spread, few(), -1);
          invoker inv{1,
                      mask_task(tell_mask),
                      {
                          .n_jobs = few(),
                          .placement = placement::spread,
                      }};
          if (few() == 1) return 0; // sequential
          const masks_by_worker masks = masks_of_workers(inv, few());
          return masks.size() == 2 && masks.at(0) == places[0].cpus && masks.at(1) == places[1].cpus ? 0 : 1;
        }) == exited(0));
}

TEST_CASE("the replacement of a lost worker has the CPUs of the one it replaces") {
  CHECK(in_child([] {
          spdlog::set_level(spdlog::level::off);
          initialize({.threads = 1, .child_threads = 1});
          const int n = few();
          const auto places = expected_places(placement::spread, n, 1);
          const auto die_at_first = [](const int&, int arg, task_context& context) {
            if (arg % 50 == 7 && context.attempt() == 1) ::raise(SIGKILL);
            return tell_mask(0, arg, context);
          };
          invoker inv{1, die_at_first, {.n_jobs = n, .retries = 1, .placement = placement::spread}};
          std::size_t n_results = 0;
          for (const auto& [worker, mask] : inv.map(std::views::iota(0, 200))) {
            ++n_results;
            if (mask != places[static_cast<std::size_t>(worker)].cpus) return 1;
          }
          if (n_results != 200) return 2;
          return inv.stats().workers_started > static_cast<std::uint64_t>(n) ? 0 : 3;
        }) == exited(0));
}

TEST_CASE("only CPUs of the thread that makes the invoker are given out") {
  CHECK(in_child([] {
          const int last = host_cpus().back();
          if (!base::set_affinity_of(0, {last})) return 1;
          initialize({.threads = 1, .child_threads = 1});
          const invoker_options one{.n_jobs = 1, .where = execution::processes, .placement = placement::spread};
          invoker inv{1, mask_task(tell_mask), one};
          if (masks_of_workers(inv, 1) != masks_by_worker{{0, {last}}}) return 2;
          auto two = one;
          two.n_jobs = 2;
          const std::string refused = refusal_of(two);
          return has(refused, "invoker_options::placement|spread|") && has(refused, "2 workers need 2 CPUs") &&
                         has(refused, "has 1;")
                     ? 0
                     : 3;
        }) == exited(0));
}

TEST_CASE("LK_BIND places workers, and the option goes before it") {
  CHECK(in_child([] {
          ::setenv("LK_BIND", " compact ", 1);
          initialize({.threads = 1, .child_threads = 1});
          const auto places = expected_places(placement::compact, few(), 1);
          invoker_options options{.n_jobs = few(), .where = execution::processes};
          invoker by_variable{1, mask_task(tell_mask), options};
          const masks_by_worker bound = masks_of_workers(by_variable, few());
          for (const auto& [worker, mask] : bound)
            if (mask != places[static_cast<std::size_t>(worker)].cpus) return 1;
          if (bound.empty()) return 2;
          auto too_many = options;
          too_many.n_jobs = static_cast<int>(host_cpus().size()) + 1;
          if (!has(refusal_of(too_many), "LK_BIND|compact|")) return 3;
          too_many.placement = placement::numa;
          if (!has(refusal_of(too_many), "invoker_options::placement|numa|")) return 4;
          too_many.placement = placement::none;
          if (!refusal_of(too_many).empty()) return 5;
          options.placement = placement::none;
          invoker by_option{1, mask_task(tell_mask), options};
          const masks_by_worker free = masks_of_workers(by_option, few());
          for (const auto& [worker, mask] : free)
            if (mask != host_cpus()) return 6;
          return free.empty() ? 7 : 0;
        }) == exited(0));
}

TEST_CASE("a wrong LK_BIND is a config_error, and a corrected one works") {
  const std::string text = GENERATE("Spread", "spread,compact", "1", "close", "true", "spreads", "spr");
  CHECK(in_child([&] {
          ::setenv("LK_BIND", text.c_str(), 1);
          try {
            initialize();
            return 1;
          } catch (const config_error& e) {
            if (e.variable != "LK_BIND" || e.text != text) return 2;
            if (!has(e.what(), "LK_BIND") || !has(e.what(), '"' + text + '"')) return 3;
            if (!has(e.what(), "none, spread, compact, numa")) return 4;
          }
          ::setenv("LK_BIND", "  ", 1);
          return get_parallel_config().processes >= 1 ? 0 : 5;
        }) == exited(0));
}

TEST_CASE("the knobs of a worker are those it was made with, however few CPUs it is bound to") {
  CHECK(in_child([] {
          ::setenv("LK_BIND", "spread", 1);
          initialize({.processes = 7, .threads = 1, .backend_threads = 1, .child_threads = 1});
          const auto look = [](const int&, int) {
            const ParallelConfig& knobs = get_parallel_config();
            return std::vector<int>{effective_cpu_count(), knobs == ParallelConfig{1, 1, 1, 1} ? 1 : 0};
          };
          invoker inv{1, look, {.n_jobs = 1, .where = execution::processes}};
          for (const std::vector<int>& seen : inv.map(std::views::iota(0, 3)))
            if (seen != std::vector<int>{1, 1}) return 1;
          return 0;
        }) == exited(0));
}

TEST_CASE("an invoker inside a task of a placed worker runs in place, where the worker is") {
  CHECK(in_child([] {
          ::setenv("LK_BIND", "compact", 1);
          initialize({.threads = 1, .child_threads = 1});
          const auto nested = [](const int&, int) {
            invoker inner{1, mask_task(tell_mask), {.n_jobs = 3, .where = execution::processes}};
            return masks_of_workers(inner, 1).at(0);
          };
          invoker inv{1, nested, {.n_jobs = 1, .where = execution::processes}};
          for (const cpu_list& mask : inv.map(std::views::iota(0, 3)))
            if (mask != expected_places(placement::compact, 1, 1).at(0).cpus) return 1;
          return 0;
        }) == exited(0));
}

TEST_CASE("numa lets a worker have memory of its own node whatever policy the host has; the others keep the policy") {
  const auto [which, is_reset] =
      GENERATE(table<placement, bool>({{placement::numa, true}, {placement::spread, false}, {placement::none, false}}));
  constexpr int policy_default = 0, policy_interleave = 3, skipped = 77;
  const auto result = in_child([mode = which, reset = is_reset] {
    const unsigned long first_node = 1;
    ::syscall(SYS_set_mempolicy, policy_interleave, &first_node, 8 * sizeof first_node);
    if (memory_policy() != policy_interleave) return skipped;
    initialize({.threads = 1, .child_threads = 1});
    const auto look = [](const int&, int) { return memory_policy(); };
    for (const execution where : {execution::processes, execution::threads}) {
      invoker inv{1, look, {.n_jobs = 1, .where = where, .placement = mode}};
      for (const int policy : inv.map(std::views::iota(0, 3)))
        if (policy != (reset ? policy_default : policy_interleave)) return 1;
    }
    return memory_policy() == policy_interleave ? 0 : 2;
  });
  if (result == exited(skipped)) {
    WARN("skipped: this system does not let a process choose a memory policy");
    return;
  }
  CHECK(result == exited(0));
}

TEST_CASE("LK_BIND gives each helping thread of the training arena a CPU, and leaves the owner and the host alone") {
  if (!has_two_cpus()) return;
  CHECK(in_child([] {
          ::setenv("LK_BIND", "spread", 1);
          const std::string text = logged_during([] { initialize({.threads = 2, .backend_threads = 1}); });
          if (!text.empty()) return 1;
          const auto places = expected_places(placement::spread, 2, 1);
          const masks_by_worker expected{{0, host_cpus()}, {1, places[1].cpus}};
          for (int round = 0; round < 20; ++round)
            if (with_training_threads([] { return masks_in_arena(2); }) != expected) return 2;
          const cpu_list here = host_cpus();
          return here.size() >= 2 && base::affinity_of(::getpid()) == here ? 0 : 3;
        }) == exited(0));
}

TEST_CASE("a sink may ask for the knobs while initialize() warns") {
  struct asking_sink : spdlog::sinks::base_sink<std::mutex> {
    void sink_it_(const spdlog::details::log_msg&) override { threads_seen = get_parallel_config().threads; }
    void flush_() override {}
    int threads_seen = 0;
  };
  CHECK(in_child([] {
          ::setenv("LK_BIND", "spread", 1);
          const auto sink = std::make_shared<asking_sink>();
          spdlog::set_default_logger(std::make_shared<spdlog::logger>("asks", sink));
          const int many = static_cast<int>(host_cpus().size()) + 1;
          initialize({.threads = many, .backend_threads = 1});
          return sink->threads_seen == many ? 0 : 1;
        }) == exited(0));
}

TEST_CASE("training threads that are too many for a CPU each stay unbound, and one warning says so") {
  CHECK(in_child([] {
          ::setenv("LK_BIND", "compact", 1);
          const int many = static_cast<int>(host_cpus().size()) + 1;
          const std::string text =
              logged_during([&] { initialize({.threads = many, .backend_threads = 1, .child_threads = 1}); });
          if (!has(text, "warning") || !has(text, "training threads are left unbound") || !has(text, "LK_BIND"))
            return 1;
          const auto masks = with_training_threads([&] { return masks_in_arena(many); });
          if (masks.size() != static_cast<std::size_t>(many)) return 2;
          for (const auto& [slot, mask] : masks)
            if (mask != host_cpus()) return 3;
          invoker inv{1, mask_task(tell_mask), {.n_jobs = 1, .where = execution::processes}};
          return masks_of_workers(inv, 1).at(0).size() == 1 ? 0 : 4; // workers are bound all the same
        }) == exited(0));
}
