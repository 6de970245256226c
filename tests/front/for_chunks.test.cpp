// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task.h>

#include <lk/parallel/for_chunks.hpp>
#include <lk/parallel/runtime.hpp>
#include <lk/parallel/threads/task_scope.hpp>
#include <support/catch.hpp>

using namespace lk::parallel;

namespace {

/// Two training threads whatever the machine has. The first case that comes here decides for the process.
void with_two_threads() {
  static const bool once = front::runtime::instance().initialize({.threads = 2});
  REQUIRE(once);
}

class counting_progress : public Progress {
 public:
  counting_progress() : Progress("counted", std::nullopt, "") {}
  std::size_t finished = 0;

 protected:
  void show(const report::progress_snapshot& now) override { finished = now.count(state::finished); }
};

/// A sum whose last bits depend on the order of its terms.
double harmonic_sum(std::size_t n) {
  return reduce_chunks(
      WorkChunks::create(n), 0.0,
      [](chunk jobs) {
        double sum = 0;
        for (std::size_t i = jobs.begin; i < jobs.end; ++i)
          sum += std::sin(static_cast<double>(i)) / (1.0 + static_cast<double>(i));
        return sum;
      },
      [](double total, double sum) { return total + sum; });
}

} // namespace

TEST_CASE("every job is done once") {
  with_two_threads();
  for (const std::size_t n : {0u, 1u, 99u, 100u, 101u, 54'321u}) {
    std::vector<int> done(n);
    for_chunks(WorkChunks::create(n), [&](chunk jobs) {
      for (std::size_t i = jobs.begin; i < jobs.end; ++i) ++done[i];
    });
    CHECK(std::all_of(done.begin(), done.end(), [](int count) { return count == 1; }));
  }
}

TEST_CASE("progress moves by the jobs of each chunk") {
  with_two_threads();
  const auto progress = std::make_shared<counting_progress>();
  for_chunks(
      WorkChunks::create(12'345), [](chunk) {}, progress);
  CHECK(progress->finished == 12'345);
}

TEST_CASE("the first exception of a chunk is thrown and the rest is left out") {
  with_two_threads();
  std::atomic<int> calls{0};
  const auto throw_or_wait = [&](chunk jobs) {
    ++calls;
    if (jobs.begin == 0) throw std::runtime_error("the first chunk");
    while (!oneapi::tbb::is_current_task_group_canceling()) std::this_thread::yield();
  };
  CHECK_THROWS_WITH(for_chunks(WorkChunks::create(10'000'000), throw_or_wait), "the first chunk");
  CHECK(calls <= 2);
}

TEST_CASE("a reduction happens in chunk order, with values of another type than the total") {
  with_two_threads();
  const std::string text = reduce_chunks(
      WorkChunks::create(1000), std::string("begin"), [](chunk jobs) { return jobs.begin / 100; },
      [](std::string total, std::size_t value) { return total + ' ' + std::to_string(value); });
  CHECK(text == "begin 0 1 2 3 4 5 6 7 8 9");
  CHECK(reduce_chunks(
            WorkChunks::create(0), 42, [](chunk) { return 1; }, [](int a, int b) { return a + b; }) == 42);
}

TEST_CASE("a reduction moves what cannot be copied") {
  with_two_threads();
  using box = std::unique_ptr<std::size_t>;
  const box total = reduce_chunks(
      WorkChunks::create(5000), std::make_unique<std::size_t>(0),
      [](chunk jobs) { return std::make_unique<std::size_t>(jobs.size()); },
      [](box sum, box value) { return std::make_unique<std::size_t>(*sum + *value); });
  CHECK(*total == 5000);
}

TEST_CASE("an exception of map or reduce is thrown") {
  with_two_threads();
  const WorkChunks chunks = WorkChunks::create(100'000);
  const auto add = [](int a, int b) { return a + b; };
  CHECK_THROWS_WITH(reduce_chunks(
                        chunks, 0, [](chunk) -> int { throw std::runtime_error("in map"); }, add),
                    "in map");
  CHECK_THROWS_WITH(
      reduce_chunks(
          chunks, 0, [](chunk) { return 1; }, [](int, int) -> int { throw std::runtime_error("in reduce"); }),
      "in reduce");
  CHECK(reduce_chunks(
            chunks, 0, [](chunk) { return 1; }, add) == 1000);
}

TEST_CASE("a reduction gives the same bits in parallel as in place") {
  with_two_threads();
  const auto bits = [] { return std::bit_cast<std::uint64_t>(harmonic_sum(200'000)); };
  const std::uint64_t parallel = bits();
  for (int round = 0; round < 20; ++round) CHECK(bits() == parallel);
  const threads::task_scope inside;
  CHECK(bits() == parallel);
}

TEST_CASE("any oneTBB algorithm can run on the training threads, and its value comes back") {
  with_two_threads();
  CHECK(with_training_threads([] { return oneapi::tbb::this_task_arena::max_concurrency(); }) == 2);
  std::atomic<int> done{0};
  with_training_threads([&] { oneapi::tbb::parallel_for(0, 1000, [&](int) { ++done; }); });
  CHECK(done == 1000);
  CHECK(*with_training_threads([] { return std::make_unique<int>(7); }) == 7);
  CHECK_THROWS_WITH(with_training_threads([] { throw std::runtime_error("on the owner"); }), "on the owner");
}

TEST_CASE("chunks inside chunks, inside training threads and inside foreign tasks all end") {
  with_two_threads();
  std::atomic<std::size_t> jobs_done{0};
  const auto count = [&](chunk jobs) { jobs_done += jobs.size(); };
  const WorkChunks chunks = WorkChunks::create(500);
  for_chunks(chunks, [&](chunk) { for_chunks(chunks, count); });
  CHECK(jobs_done == 2500);
  with_training_threads([&] { for_chunks(chunks, count); });
  CHECK(jobs_done == 3000);
  with_training_threads([&] { oneapi::tbb::parallel_for(0, 4, [&](int) { for_chunks(chunks, count); }); });
  CHECK(jobs_done == 5000);
  oneapi::tbb::parallel_for(0, 4, [&](int) { for_chunks(chunks, count); });
  CHECK(jobs_done == 7000);
  for_chunks(chunks, [&](chunk) { with_training_threads([&] { jobs_done += 1; }); });
  CHECK(jobs_done == 7005);
}

TEST_CASE("two threads can train at once") {
  with_two_threads();
  std::atomic<std::size_t> jobs_done{0};
  const auto train = [&] {
    for (int i = 0; i < 20; ++i) for_chunks(WorkChunks::create(1000), [&](chunk jobs) { jobs_done += jobs.size(); });
  };
  std::thread first(train), second(train);
  first.join();
  second.join();
  CHECK(jobs_done == 40'000);
}
