// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel.hpp>

#include <cstddef>
#include <cstdio>
#include <ranges>
#include <vector>

// What a user's program looks like: the main job of the library on a toy model, scored in two worker processes.

struct scored_item {
  int item;
  double score;
};

struct toy_model {
  double factor = 0.5;
  std::vector<scored_item> recommend(int user, int n) const {
    std::vector<scored_item> top;
    for (int item = 0; item < n; ++item) top.push_back({item, factor * user - item});
    return top;
  }
};

int main() {
  lk::parallel::initialize({.processes = 2});
  const toy_model model;
  std::size_t rows = 0;
  double sum = 0;
  lk::parallel::invoker inv{model, [](const toy_model& m, int user) { return m.recommend(user, 3); }};
  for (const std::vector<scored_item>& top : inv.map(std::views::iota(0, 100))) {
    for (const scored_item& row : top) {
      ++rows;
      sum += row.score;
    }
  }
  std::printf("%zu rows, sum %.1f\n", rows, sum); // 3 * 0.5 * (0 + ... + 99) - 100 * (0 + 1 + 2)
  return rows == 300 && sum == 7125.0 ? 0 : 1;
}
