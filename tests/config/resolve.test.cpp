// lk-parallel | SPDX-License-Identifier: MIT
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <lk/parallel/config/resolve.hpp>
#include <support/catch.hpp>

using namespace lk::parallel;
using config::environment_knobs;
using config::resolve;
using testing::contains;

TEST_CASE("the defaults follow from the number of CPUs") {
  struct machine {
    int n_cpus;
    ParallelConfig expected; // processes, threads, backend_threads, child_threads
  };
  const auto [n_cpus, expected] = GENERATE(values<machine>({{-1, {1, 1, 1, 1}},
                                                            {0, {1, 1, 1, 1}},
                                                            {1, {1, 1, 1, 1}},
                                                            {2, {2, 2, 1, 1}},
                                                            {3, {3, 3, 1, 1}},
                                                            {4, {4, 4, 1, 1}},
                                                            {5, {4, 5, 1, 1}},
                                                            {6, {4, 6, 1, 1}},
                                                            {7, {4, 7, 1, 1}},
                                                            {8, {4, 8, 1, 2}},
                                                            {12, {4, 8, 1, 3}},
                                                            {15, {4, 8, 1, 3}},
                                                            {16, {4, 8, 2, 4}},
                                                            {24, {4, 8, 3, 4}},
                                                            {32, {4, 8, 4, 4}},
                                                            {64, {4, 8, 4, 4}},
                                                            {256, {4, 8, 4, 4}}}));
  CHECK(resolve({}, {}, n_cpus) == expected);
}

TEST_CASE("by default no product of knobs asks for more CPUs than there are") {
  for (int n = 1; n <= 300; ++n) {
    const ParallelConfig config = resolve({}, {}, n);
    INFO(n << " CPUs: " << config);
    CHECK(config.processes * config.child_threads <= n);
    CHECK(config.threads * config.backend_threads <= n);
    CHECK(config.processes <= 4);
    CHECK(config.threads <= 8);
  }
}

TEST_CASE("an argument goes before the environment, and that before the default") {
  const environment_knobs environment{.processes = 2, .threads = 3, .backend_threads = 4, .child_threads = 5};
  CHECK(resolve({}, environment, 16) == ParallelConfig{2, 3, 4, 5});
  CHECK(resolve({.processes = 6, .threads = 7, .backend_threads = 8, .child_threads = 9}, environment, 16) ==
        ParallelConfig{6, 7, 8, 9});
  CHECK(resolve({.threads = 7}, {.processes = 2}, 16) == ParallelConfig{2, 7, 2, 4});
}

TEST_CASE("the defaults of backend and child threads follow the threads and processes in force") {
  CHECK(resolve({.processes = 1, .threads = 2}, {}, 8) == ParallelConfig{1, 2, 4, 4});
  CHECK(resolve({.processes = 3, .threads = 3}, {}, 8) == ParallelConfig{3, 3, 2, 2});
  CHECK(resolve({.processes = 100, .threads = 100}, {}, 8) == ParallelConfig{100, 100, 1, 1});
  CHECK(resolve({}, {.processes = 2, .threads = 1}, 3) == ParallelConfig{2, 1, 3, 1});
}

TEST_CASE("-1 as backend or child threads is kept") {
  CHECK(resolve({.backend_threads = -1, .child_threads = -1}, {}, 8) == ParallelConfig{4, 8, -1, -1});
  CHECK(resolve({}, {.backend_threads = -1, .child_threads = -1}, 8) == ParallelConfig{4, 8, -1, -1});
}

TEST_CASE("an argument that is no count is a config_error that names the option") {
  for (const int bad : {0, -1, -2, std::numeric_limits<int>::min()}) {
    CHECK_THROWS_WITH(resolve({.processes = bad}, {}, 8),
                      contains("parallel_options::processes") && contains(std::to_string(bad)));
    CHECK_THROWS_WITH(resolve({.threads = bad}, {}, 8), contains("parallel_options::threads"));
    if (bad == -1) continue;
    CHECK_THROWS_WITH(resolve({.backend_threads = bad}, {}, 8), contains("parallel_options::backend_threads"));
    CHECK_THROWS_WITH(resolve({.child_threads = bad}, {}, 8), contains("parallel_options::child_threads"));
  }
  CHECK_THROWS_AS(resolve({.processes = 0}, {}, 8), config_error);
}

TEST_CASE("a worker's knobs are one process, one thread, the child threads, one backend thread in its own workers") {
  CHECK(resolve({}, {}, 16).for_worker() == ParallelConfig{1, 1, 4, 1});
}

TEST_CASE("the knobs print themselves") {
  std::ostringstream out;
  out << resolve({}, {}, 16);
  CHECK(out.str() == "{processes: 4, threads: 8, backend_threads: 2, child_threads: 4}");
}

TEST_CASE("each knob tells where it came from") {
  std::ostringstream out;
  const environment_knobs environment{.threads = 3, .child_threads = 5};
  for (const traced_knob& each : config::trace_knobs({.processes = 6, .child_threads = 2}, environment, 16))
    out << each << '\n';
  CHECK(out.str() == "processes 6 (parallel_options::processes)\nthreads 3 (LK_NUM_THREADS)\n"
                     "backend_threads 4 (default: 16 CPUs / 3 threads, from 1 to 4)\n"
                     "child_threads 2 (parallel_options::child_threads)\n");
}

TEST_CASE("the rules of the defaults are told") {
  const std::vector<traced_knob> knobs = config::trace_knobs({}, {}, 1);
  CHECK(knobs ==
        std::vector<traced_knob>{{"processes", 1, knob_origin::default_value, "min(1 CPU, 4)"},
                                 {"threads", 1, knob_origin::default_value, "min(1 CPU, 8)"},
                                 {"backend_threads", 1, knob_origin::default_value, "1 CPU / 1 thread, from 1 to 4"},
                                 {"child_threads", 1, knob_origin::default_value, "1 CPU / 1 process, from 1 to 4"}});
  for (const traced_knob& each : config::trace_knobs({}, {.processes = 2, .threads = 2, .backend_threads = -1}, 8))
    CHECK((each.origin == knob_origin::variable) == (each.name != "child_threads"));
  CHECK_THROWS_AS(config::trace_knobs({.processes = 0}, {}, 8), config_error);
}

TEST_CASE("the traced knobs are those in force") {
  for (const int n_cpus : {1, 2, 5, 16, 64}) {
    const ParallelConfig config = resolve({.threads = 2}, {.processes = 3}, n_cpus);
    const std::vector<traced_knob> knobs = config::trace_knobs({.threads = 2}, {.processes = 3}, n_cpus);
    CHECK(ParallelConfig{knobs[0].value, knobs[1].value, knobs[2].value, knobs[3].value} == config);
  }
}
