// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <lk/parallel/base/biased_lock.hpp>

using lk::parallel::base::biased_lock;

namespace {

/// While this thread holds the lock another one, which prepares first, does not get it; afterwards it does.
void expect_others_wait(biased_lock& lock, const std::function<void()>& prepare) {
  std::atomic<bool> is_coming{false}, is_inside{false};
  std::unique_lock held(lock);
  std::jthread other([&] {
    is_coming = true;
    is_coming.notify_one();
    prepare();
    const std::lock_guard its(lock);
    is_inside = true;
  });
  is_coming.wait(false);
  for (int i = 0; i < 1000; ++i) {
    std::this_thread::yield();
    REQUIRE_FALSE(is_inside.load());
  }
  held.unlock();
  other.join();
  CHECK(is_inside.load());
}

} // namespace

TEST_CASE("the favoured thread and those that come later are never inside at the same time") {
  constexpr int n_rounds = 300, n_others = 2, times_each = 50;
  for (int round = 0; round < n_rounds; ++round) {
    biased_lock lock;
    lock.favour_this_thread();
    long count = 0; // no atomic: it is what the lock is for
    std::atomic<int> n_done{0};
    std::vector<std::jthread> others;
    for (int i = 0; i < n_others; ++i)
      others.emplace_back([&] {
        for (int k = 0; k < times_each; ++k) {
          const std::lock_guard held(lock);
          ++count;
        }
        ++n_done;
      });
    long mine = 0;
    while (n_done.load() < n_others) {
      const std::lock_guard held(lock);
      ++count;
      ++mine;
    }
    others.clear();
    REQUIRE(count == mine + n_others * times_each);
  }
}

TEST_CASE("whoever comes while the favoured thread is inside waits until it has left") {
  biased_lock lock;
  lock.favour_this_thread();
  expect_others_wait(lock, [] {});
}

TEST_CASE("a thread may take the lock again while it holds it, favoured or not") {
  biased_lock lock;
  const auto twice = [&] {
    const std::lock_guard outer(lock);
    const std::lock_guard inner(lock);
  };
  twice();
  lock.favour_this_thread();
  twice();
  std::jthread(twice).join(); // the favour is gone
  twice();
  std::jthread(twice).join(); // not given back, and no harm
}

TEST_CASE("only the first thread that asks is favoured") {
  biased_lock lock;
  lock.favour_this_thread();
  expect_others_wait(lock, [&] { lock.favour_this_thread(); });
}
