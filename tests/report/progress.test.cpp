// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/progress.hpp>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <support/catch.hpp>
#include <support/in_child.hpp>

#include "host_loggers.hpp"

// The base of all displays: counts, states, failures, forks.

namespace lk::parallel {
namespace {

class remembering_progress : public Progress {
 public:
  using Progress::Progress;
  remembering_progress() : Progress("work", 100, "items") {}
  ~remembering_progress() override { finish(); }
  std::vector<report::progress_snapshot> shown;

 protected:
  void show(const report::progress_snapshot& now) override { shown.push_back(now); }
};

template <class Thrown> class broken_progress : public Progress {
 public:
  explicit broken_progress(Thrown what) : Progress("broken", 100, ""), thrown_(what) {}
  int draws = 0;

 protected:
  void show(const report::progress_snapshot&) override {
    ++draws;
    throw thrown_;
  }

 private:
  Thrown thrown_;
};

} // namespace

TEST_CASE("items move through the states") {
  remembering_progress progress;
  progress.update(10, Progress::state::dispatched);
  progress.update(4, Progress::state::in_progress, Progress::state::dispatched);
  progress.update(2, Progress::state::finished, Progress::state::in_progress);
  progress.update(1, Progress::state::failed, Progress::state::in_progress);
  progress.update();
  const auto& now = progress.shown.back();
  CHECK(now.counts == std::array<std::size_t, 4>{6, 1, 3, 1});
  CHECK(now.done() == 4);
  CHECK(progress.shown.size() == 5);
}

TEST_CASE("label and total can change") {
  remembering_progress progress;
  progress.set_label("other work");
  progress.set_total(7);
  CHECK(progress.shown.back().label == "other work");
  CHECK(progress.shown.back().total == std::optional<std::size_t>(7));
  progress.set_total({});
  CHECK_FALSE(progress.shown.back().total.has_value());
}

TEST_CASE("finish draws once, and nothing changes after it") {
  remembering_progress progress;
  progress.update(3);
  progress.finish();
  progress.finish();
  progress.update(4);
  progress.set_label("too late");
  REQUIRE(progress.shown.size() == 2);
  CHECK(progress.shown.back().finished);
  CHECK(progress.shown.back().done() == 3);
}

TEST_CASE("updates of many threads all count") {
  remembering_progress progress;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) progress.update();
      });
  }
  CHECK(progress.shown.back().done() == 4000);
}

TEST_CASE("a display that throws is reported once, switched off, and no concern of the work") {
  testing::host_loggers host;
  SECTION("a std::exception") {
    broken_progress progress(std::runtime_error("no ink"));
    for (int i = 0; i < 10; ++i) progress.update();
    progress.finish();
    CHECK(progress.draws == 1);
    REQUIRE(host.sink->texts().size() == 1);
    CHECK_THAT(host.sink->texts()[0], testing::contains("no ink"));
    CHECK_THAT(host.sink->texts()[0], testing::contains("broken"));
  }
  SECTION("anything else") {
    broken_progress progress(42);
    for (int i = 0; i < 10; ++i) progress.update();
    CHECK(progress.draws == 1);
    CHECK(host.sink->texts().size() == 1);
  }
}

TEST_CASE("in a forked child progress does nothing, even where its lock was held at the fork") {
  class slow_progress : public remembering_progress {
   public:
    std::atomic<bool> entered{false}, leave{false};

   protected:
    void show(const report::progress_snapshot& now) override {
      remembering_progress::show(now);
      entered = true;
      while (!leave) std::this_thread::yield();
    }
  };
  slow_progress progress;
  std::thread other([&] { progress.update(); });
  while (!progress.entered) std::this_thread::yield();
  const auto end = testing::in_child([&] {
    progress.update(5);
    progress.set_label("from a child");
    progress.finish();
    return static_cast<int>(progress.shown.size());
  });
  progress.leave = true;
  other.join();
  CHECK(end == testing::exited(1)); // what was shown before the fork
  CHECK(progress.shown.back().done() == 1);
}

} // namespace lk::parallel
