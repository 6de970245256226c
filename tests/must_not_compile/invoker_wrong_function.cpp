// lk-parallel | SPDX-License-Identifier: MIT
// expect: the function cannot be called as fn(const Model&, argument)

#include <vector>

#include <lk/parallel/invoker.hpp>

int main() {
  const std::vector<int> model{1};
#ifdef LK_CORRECTED
  lk::parallel::invoker inv{model, [](const std::vector<int>& m, int x) { return m[0] + x; }};
#else
  lk::parallel::invoker inv{model, [](std::vector<int>& m, int x) { return m[0] + x; }};
#endif
  for ([[maybe_unused]] const int y : inv.map(std::vector<int>{1})) {
  }
}
