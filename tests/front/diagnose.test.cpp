// lk-parallel | SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <oneapi/tbb/parallel_for.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <lk/parallel.hpp>
#include <lk/parallel/examination.hpp>
#include <support/catch.hpp>
#include <support/in_child.hpp>
#include <threads/rendezvous.hpp>

// The whole of diagnose(), and what LK_DEBUG logs. The knobs are set once in a process, so each case has its own.

using namespace lk::parallel;
using testing::contains;
using testing::exited;
using testing::in_child;

namespace {

constexpr int not_installed = 77;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

template <class T> std::string text_of(const T& value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

void forget_variables() {
  for (const char* name : {"LK_NUM_PROCS", "LK_NUM_THREADS", "LK_NUM_BACKEND_THREADS", "LK_NUM_CHILD_THREADS",
                           "LK_DEBUG", "LK_CORE", "OPENBLAS_NUM_THREADS"})
    ::unsetenv(name);
}

/// fn in a process of its own, with no knob set by the environment.
testing::child_result in_fresh_process(const std::function<int()>& fn) {
  return in_child([&] {
    forget_variables();
    return fn();
  });
}

/// Runs fn and hands back what was logged meanwhile, a line for each record: "level: text".
template <class Fn> std::string logged_during(Fn&& fn) {
  std::ostringstream text;
  auto logger = std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
  logger->set_pattern("[%n] %l: %v");
  spdlog::set_default_logger(logger);
  fn();
  return text.str();
}

bool found(const diagnosis& all, const std::string& topic) {
  return std::ranges::any_of(all.findings, [&](const finding& each) { return each.topic == topic; });
}

const thread_group* group_named(const diagnosis& all, const std::string& name, thread_owner owner) {
  const auto at = std::ranges::find_if(
      all.threads, [&](const thread_group& group) { return group.name == name && group.owner == owner; });
  return at != all.threads.end() ? &*at : nullptr;
}

/// A diagnosis with something in every member.
diagnosis full() {
  diagnosis all;
  all.knobs = {{"processes", 4, knob_origin::argument, "parallel_options::processes"},
               {"threads", 8, knob_origin::default_value, "min(16 CPUs, 8)"}};
  all.bind = placement::spread;
  all.cpus = {64, 32, 16, 16};
  all.topology = {"Some CPU 9000", 2, 32, 64, {{0, std::uint64_t{64} << 30, 32}, {1, std::uint64_t{32} << 30, 32}}};
  all.system.kernel = "6.1.0";
  all.system.core_pattern = "core";
  all.system.memory = usage{std::uint64_t{3} << 30, std::uint64_t{8} << 30};
  all.backends = {{"OpenBLAS", "BLAS", "0.3.21", "pthreads", 8, false, "OPENBLAS_NUM_THREADS", "/lib/libopenblas.so"},
                  {"libgomp", "OpenMP", "", "", 1, true, "", "/lib/libgomp.so"}};
  all.threads = {{"job", 1, thread_owner::main}, {"a\nb", 2, thread_owner::others}, {"job", 3, thread_owner::others}};
  all.findings = {{severity::warning, "overcommit", "too little", "Do something."}};
  return all;
}

} // namespace

TEST_CASE("a knob tells whether an argument, a variable or a default has set it") {
  CHECK(in_fresh_process([] {
          ::setenv("LK_NUM_THREADS", "2", 1);
          ::setenv("LK_NUM_PROCS", "9", 1);
          initialize({.processes = 3});
          const diagnosis all = diagnose();
          if (all.version != version || all.knobs.size() != 4) return 1;
          if (text_of(all.knobs[0]) != "processes 3 (parallel_options::processes)") return 2;
          if (text_of(all.knobs[1]) != "threads 2 (LK_NUM_THREADS)") return 3;
          return all.knobs[2].origin == knob_origin::default_value && has(all.knobs[2].source, "/ 2 threads") ? 0 : 4;
        }) == exited(0));
}

TEST_CASE("diagnose initialises, and a bad variable is a config_error") {
  CHECK(in_fresh_process([] {
          ::setenv("LK_NUM_PROCS", "some", 1);
          try {
            (void)diagnose();
            return 1;
          } catch (const config_error& e) {
            if (e.variable != "LK_NUM_PROCS") return 2;
          }
          ::setenv("LK_NUM_PROCS", "2", 1);
          const diagnosis all = diagnose();
          if (all.knobs[0] != traced_knob{"processes", 2, knob_origin::variable, "LK_NUM_PROCS"}) return 3;
          return get_parallel_config().processes == 2 && all.cpus.effective == effective_cpu_count() ? 0 : 4;
        }) == exited(0));
}

TEST_CASE("a diagnosis is regular") {
  const diagnosis all = full();
  diagnosis copy = all;
  CHECK(copy == all);
  copy.findings[0].what = "something else";
  CHECK(copy != all);
}

TEST_CASE("threads are told apart: the program's by name, the library's and oneTBB's") {
  CHECK(in_fresh_process([] {
          initialize({.threads = 2});
          std::promise<void> end;
          std::promise<void> named;
          std::thread other([&] {
            ::pthread_setname_np(::pthread_self(), "grpc-worker");
            named.set_value();
            end.get_future().wait();
          });
          named.get_future().wait();
          diagnosis all;
          with_training_threads([&] {
            testing::rendezvous two(2);
            oneapi::tbb::parallel_for(0, 2, [&](int) { two.meet(); });
            all = diagnose();
          });
          end.set_value();
          other.join();
          const thread_group* const foreign = group_named(all, "grpc-worker", thread_owner::others);
          if (foreign == nullptr || foreign->count != 1) return 1;
          if (group_named(all, "lk-training", thread_owner::library) == nullptr) return 2;
          if (group_named(all, "lk-tbb", thread_owner::one_tbb) == nullptr) return 3;
          return all.threads.at(0).owner == thread_owner::main ? 0 : 4;
        }) == exited(0));
}

TEST_CASE("an ignored SIGCHLD is found, and nothing where it is not") {
  CHECK(in_fresh_process([] {
          ::signal(SIGCHLD, SIG_DFL);
          if (found(diagnose(), "sigchld")) return 1;
          ::signal(SIGCHLD, SIG_IGN);
          return found(diagnose(), "sigchld") ? 0 : 2;
        }) == exited(0));
}

TEST_CASE("knobs that ask for too much are found") {
  CHECK(in_fresh_process([] {
          initialize({.processes = 1000, .child_threads = 7});
          const diagnosis all = diagnose();
          return found(all, "child-threads") && all.findings.at(0).level == severity::warning ? 0 : 1;
        }) == exited(0));
}

TEST_CASE("a worker says that it is one") {
  CHECK(in_fresh_process([] {
          initialize({.processes = 2, .child_threads = 2});
          invoker inv{0, [](int, int) { return text_of(diagnose()); }, {.where = execution::processes}};
          for (const std::string& text : inv.map(std::vector<int>{1}))
            if (!has(text, "this is a worker process") || !has(text, "backend_threads  2     the host")) {
              std::cerr << text;
              return 1;
            }
          return found(diagnose(), "worker") ? 2 : 0;
        }) == exited(0));
}

TEST_CASE("a loaded BLAS is listed, with the variable that keeps its size") {
  const auto result = in_fresh_process([] {
    if (found(diagnose(), "backend-variable")) return 1;
    ::setenv("OPENBLAS_NUM_THREADS", "1", 1);
    if (::dlopen("libopenblas.so.0", RTLD_NOW | RTLD_GLOBAL) == nullptr) return not_installed;
    for (const backend_report& pool : diagnose().backends)
      if (pool.name == "OpenBLAS")
        return pool.kind == "BLAS" && pool.threads == 1 && pool.variable == "OPENBLAS_NUM_THREADS" &&
                       has(pool.file, "openblas")
                   ? 0
                   : 2;
    return 3;
  });
  if (result == exited(not_installed)) {
    WARN("skipped: OpenBLAS is not installed");
  } else {
    CHECK(result == exited(0));
  }
}

TEST_CASE("a BLAS that its own variable makes too large, and two OpenMP runtimes, are found") {
  const auto topics = [](const std::vector<backend_report>& backends) {
    std::vector<finding> all;
    front::judge_backends(backends, {4, 1, 1, 1}, {8, 8, {}, 8}, all);
    std::string names;
    for (const finding& each : all) names += each.topic + ' ';
    return names;
  };
  backend_report blas = full().backends[0];
  CHECK(topics({blas}) == "backend-variable ");
  blas.threads = 2; // 4 workers with 2 on 8 CPUs
  CHECK(topics({blas}) == "");
  blas.threads = 8;
  blas.variable = "";
  CHECK(topics({blas}) == "");
  backend_report gomp = full().backends[1], omp = gomp;
  omp.name = "libomp";
  CHECK(topics({gomp}) == "");
  CHECK(topics({gomp, omp}) == "openmp-runtimes ");
}

TEST_CASE("a diagnosis is printed in sections") {
  CHECK(text_of(full()) == "lk-parallel " + std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
                               std::to_string(version.patch) + R"(

Knobs
  processes  4       parallel_options::processes
  threads    8       default: min(16 CPUs, 8)
  placement  spread  LK_BIND

CPUs
  machine        64
  affinity mask  32
  cgroup quota   16
  in effect      16

Topology
  Some CPU 9000
  2 packages, 2 NUMA nodes, 32 cores, 64 processing units (SMT)
  NUMA node 0: 64.0 GiB, 32 processing units
  NUMA node 1: 32.0 GiB, 32 processing units

System
  kernel         6.1.0
  huge pages     not known
  overcommit     0
  core files     core
  cgroup memory  3.0 GiB of 8.0 GiB

Backends
  OpenBLAS 0.3.21  BLAS    pthreads  8 threads                /lib/libopenblas.so (kept by OPENBLAS_NUM_THREADS)
  libgomp          OpenMP            1 thread on this thread  /lib/libgomp.so

Threads
  job          1  main
  a?b          2  others
  (not named)  3  others

Findings
  warning: too little. [overcommit]
    Do something.
)");
}

TEST_CASE("an empty diagnosis is printed as well") {
  CHECK_THAT(text_of(diagnosis{}), contains("no BLAS, OpenMP or LibTorch is loaded") &&
                                       contains("hwloc cannot read it") && contains("Findings\n  none\n"));
}

TEST_CASE("LK_DEBUG=1 logs the essentials once, and nothing is logged without it") {
  CHECK(in_fresh_process([] {
          const std::string nothing = logged_during([] { ensure_parallel_init(); });
          return nothing.empty() ? 0 : 1;
        }) == exited(0));
  const bool by_asking = GENERATE(false, true);
  CHECK(in_fresh_process([by_asking] {
          ::setenv("LK_DEBUG", "1", 1);
          ::setenv("LK_NUM_THREADS", "3", 1);
          const std::string text = logged_during([&] {
            if (by_asking) return (void)get_parallel_config();
            initialize({.processes = 1000});
          });
          if (!has(text, "[lk.parallel] info: lk-parallel 0.")) return 1;
          if (!has(text, ", threads 3 (LK_NUM_THREADS), ")) return 2;
          if (!has(text, "[lk.parallel] info: CPUs: machine ")) return 3;
          if (!has(text, "[lk.parallel] info: backends: ")) return 4;
          if (!has(text, "[core-files]")) return 5;
          if (!by_asking && !has(text, "[lk.parallel] warning: processes x child_threads is 1000 x 1 = 1000")) return 6;
          const std::string again = logged_during([] { ensure_parallel_init(); });
          return again.empty() ? 0 : 7;
        }) == exited(0));
}

TEST_CASE("workers do not log the essentials again") {
  CHECK(in_fresh_process([] {
          ::setenv("LK_DEBUG", "1", 1);
          bool said = false;
          const std::string text = logged_during([&] {
            initialize({.processes = 2});
            const auto in_worker = [](int, int) {
              initialize();
              spdlog::info("in a worker");
              return get_parallel_config().processes;
            };
            invoker inv{0, in_worker, {.where = execution::processes}};
            for (const int processes : inv.map(std::vector<int>{1, 2})) said = processes == 1;
          });
          const std::size_t first = text.find("info: lk-parallel 0.");
          const bool once = first != text.npos && text.find("info: lk-parallel 0.", first + 1) == text.npos;
          return said && once && text.find("[lk.parallel]", text.find("in a worker")) == text.npos ? 0 : 1;
        }) == exited(0));
}

TEST_CASE("another value of LK_DEBUG is a config_error that changes nothing") {
  CHECK(in_fresh_process([] {
          ::setenv("LK_DEBUG", "loud", 1);
          try {
            initialize({.processes = 3});
            return 1;
          } catch (const config_error& e) {
            if (e.variable != "LK_DEBUG" || e.text != "loud") return 2;
          }
          ::setenv("LK_DEBUG", "0", 1);
          const std::string text = logged_during([] { initialize({.processes = 2}); });
          return text.empty() && get_parallel_config().processes == 2 ? 0 : 3;
        }) == exited(0));
}
