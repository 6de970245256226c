// lk-parallel | SPDX-License-Identifier: MIT
// expect: the function returns a reference; results are values

#include <vector>

#include <lk/parallel/invoker.hpp>

int main() {
  const std::vector<int> model{1};
#ifdef LK_CORRECTED
  lk::parallel::invoker inv{model, [](const std::vector<int>& m, int) { return m[0]; }};
#else
  lk::parallel::invoker inv{model, [](const std::vector<int>& m, int) -> const int& { return m[0]; }};
#endif
  for ([[maybe_unused]] const int y : inv.map(std::vector<int>{1})) {
  }
}
