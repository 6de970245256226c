// lk-parallel | SPDX-License-Identifier: MIT
#include "front/back_ends.hpp"
#include "support/catch.hpp"
#include "support/ranges.hpp"

#include <csignal>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <stop_token>

#include <unistd.h>

#include <lk/parallel.hpp>

// Progress of the host that moves from inside tasks, and what it shows when maps end in other ways than well.

using namespace lk::parallel;
using lk::parallel::testing::count;

namespace {

struct recorder final : Progress {
  explicit recorder(std::optional<std::size_t> total = {}) : Progress("test", total, "steps") {}
  ~recorder() override { finish(); }
  void show(const report::progress_snapshot& now) override { last = now; }

  std::size_t n(progress_state which) const { return last.count(which); }
  std::size_t sum() const {
    return n(progress_state::dispatched) + n(progress_state::in_progress) + n(progress_state::finished) +
           n(progress_state::failed);
  }
  report::progress_snapshot last;
};

const int model = 0;

} // namespace

TEST_CASE("a progress of the host moves from inside tasks") {
  FOR_EVERY_BACK_END(which);
  recorder steps;
  invoker inv{model,
              [&](int, int x) {
                for (int i = 0; i < 10; ++i) {
                  steps.update(1, progress_state::in_progress);
                  steps.update(1, progress_state::finished, progress_state::in_progress);
                }
                if (x == 49) steps.set_label("all of them");
                if (x == 49) steps.set_metric("loss", 0.25);
                if (x == 49) steps.set_total(500);
                return x;
              },
              which.options()};
  REQUIRE(count(inv.map(std::views::iota(0, 50))) == 50);
  CHECK(steps.n(progress_state::finished) == 500);
  CHECK(steps.n(progress_state::in_progress) == 0);
  CHECK(steps.last.label == "all of them");
  CHECK(steps.last.metric_name == "loss");
  CHECK(steps.last.metric == 0.25);
  CHECK(steps.last.total == 500u);
}

TEST_CASE("what a task told before it failed is counted") {
  FOR_EVERY_BACK_END(which);
  recorder steps;
  invoker inv{model,
              [&](int, int x) {
                steps.update();
                if (x % 2 == 1) throw std::runtime_error("odd");
                return x;
              },
              which.options()};
  REQUIRE(count(inv.map_outcomes(std::views::iota(0, 20))) == 20);
  CHECK(steps.n(progress_state::finished) == 20);
}

TEST_CASE("for_chunks inside a task moves a progress of the host") {
  recorder jobs;
  const std::shared_ptr<Progress> shared(&jobs, [](Progress*) {});
  invoker inv{model,
              [&](int, int x) {
                for_chunks(
                    WorkChunks::create(250), [](chunk) {}, shared);
                return x;
              },
              {.n_jobs = 2}};
  REQUIRE(count(inv.map(std::views::iota(0, 8))) == 8);
  CHECK(jobs.n(progress_state::finished) == 2000);
}

TEST_CASE("a progress that the host has dropped is no trouble for tasks that still advance it") {
  auto steps = std::make_unique<recorder>();
  invoker inv{model, [&at = *steps](int, int x) { return at.update(), x; }, {.n_jobs = 2}};
  steps.reset();
  REQUIRE(count(inv.map(std::views::iota(0, 100))) == 100);
}

TEST_CASE("the states add up to the tasks after crashes and retries") {
  const auto tasks = std::make_shared<recorder>(60);
  invoker inv{model,
              [](int, int x, task_context& task) {
                if (x % 10 == 3 && task.attempt() == 1) ::raise(SIGKILL);
                if (x == 17) ::raise(SIGKILL);
                return x;
              },
              {.n_jobs = 2, .progress = tasks, .retries = 1}};
  REQUIRE(count(inv.map_outcomes(std::views::iota(0, 60))) == 60);
  CHECK(tasks->n(progress_state::finished) == 59);
  CHECK(tasks->n(progress_state::failed) == 1);
  CHECK(tasks->sum() == 60);
}

TEST_CASE("after a stop nothing is in progress and the states add up to what was dispatched") {
  FOR_EVERY_BACK_END(which);
  std::stop_source stop;
  const auto tasks = std::make_shared<recorder>(1000);
  std::size_t n_read = 0;
  auto watched = std::views::iota(0, 1000) | std::views::transform([&](int x) { return ++n_read, x; });
  invoker inv{model, [](int, int x) { return x; },
              which.with({.progress = tasks, .window = 50, .stop = stop.get_token()})};
  int n_taken = 0;
  try {
    for ([[maybe_unused]] const int x : inv.map(watched))
      if (++n_taken == 100) stop.request_stop();
    FAIL("the map went on");
  } catch (const cancelled&) {
  }
  CHECK(tasks->n(progress_state::in_progress) == 0);
  CHECK(tasks->sum() == n_read);
  CHECK(tasks->sum() < 1000);
}
