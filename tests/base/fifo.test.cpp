// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <deque>
#include <random>

#include <lk/parallel/base/fifo.hpp>

using lk::parallel::base::fifo;

TEST_CASE("a fifo gives back what was put in, in that order, whatever its length was meanwhile") {
  std::mt19937 random(7);
  fifo<int> queue;
  std::deque<int> same;
  for (int i = 0; i < 100'000; ++i) {
    if (random() % 1000 == 0) {
      queue.clear();
      same.clear();
    }
    const bool grows = i / 1000 % 2 == 0;
    if (same.empty() || random() % 10 < (grows ? 7 : 3)) {
      queue.push_back(i);
      same.push_back(i);
    } else {
      queue.pop_front();
      same.pop_front();
    }
    REQUIRE(queue.size() == same.size());
    REQUIRE(queue.empty() == same.empty());
    if (same.empty()) continue;
    const auto somewhere = random() % same.size();
    REQUIRE(queue.front() == same.front());
    REQUIRE(queue.back() == same.back());
    REQUIRE(queue[somewhere] == same[somewhere]);
  }
}
