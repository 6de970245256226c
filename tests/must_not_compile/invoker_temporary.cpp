// lk-parallel | SPDX-License-Identifier: MIT
// expect: map on a temporary invoker would leave the loop without its workers

#include <vector>

#include <lk/parallel/invoker.hpp>

int main() {
  const std::vector<int> model{1};
  const auto add = [](const std::vector<int>& m, int x) { return m[0] + x; };
#ifdef LK_CORRECTED
  lk::parallel::invoker inv{model, add};
  for ([[maybe_unused]] const int y : inv.map(std::vector<int>{1})) {
  }
#else
  for ([[maybe_unused]] const int y : lk::parallel::invoker{model, add}.map(std::vector<int>{1})) {
  }
#endif
}
