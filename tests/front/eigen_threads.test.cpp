// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <set>

#include <Eigen/Core>
#include <oneapi/tbb/parallel_for.h>

#include <lk/parallel/for_chunks.hpp>
#include <lk/parallel/initialize.hpp>
#include <support/catch.hpp>
#include <threads/backend_libraries.hpp>
#include <threads/rendezvous.hpp>

// Built with OpenMP, as a program whose Eigen uses it is.

using namespace lk::parallel;
using namespace lk::parallel::testing;

namespace {

int count_region_threads() {
  std::set<pid_t> ids;
#pragma omp parallel
  {
#pragma omp critical
    ids.insert(this_thread_id());
  }
  return static_cast<int>(ids.size());
}

} // namespace

TEST_CASE("Eigen, and OpenMP regions, have backend_threads on each training thread") {
  const int n = GENERATE(1, 3);
  scenario({}, [&] {
    initialize({.threads = 2, .backend_threads = n});
    expect_equal(Eigen::nbThreads(), n, "Eigen's threads on the thread that initialises");
    std::atomic<int> wrong{0};
    const auto check = [&] {
      if (Eigen::nbThreads() != n || count_region_threads() != n) ++wrong;
      const Eigen::MatrixXd ones = Eigen::MatrixXd::Ones(200, 200), product = ones * ones;
      if (product(199, 199) != 200) ++wrong;
    };
    for_chunks(WorkChunks::create(10'000), [&](chunk) { check(); });
    with_training_threads([&] {
      rendezvous meeting(2);
      oneapi::tbb::parallel_for(0, 2, [&](int) {
        meeting.meet();
        check();
      });
    });
    expect_equal(wrong.load(), 0, "wrong counts or products");
  });
}
