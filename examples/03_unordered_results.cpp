// lk-parallel | SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iostream>
#include <vector>

#include <lk/parallel.hpp>

// Results as they finish: tasks that take very different times, and a consumer that need not wait for the slowest of
// them. docs/guide/invoker.md shows the marked lines.

namespace {

struct observations {
  std::vector<double> x, y;
};

/// Fits y = a x by gradient descent with this step width. Units: iterations; large steps take few, small ones many.
int iterations_until_fit(const observations& data, double step) {
  double a = 0;
  for (int n = 1; n < 1'000'000; ++n) {
    double gradient = 0;
    for (std::size_t i = 0; i < data.x.size(); ++i) gradient += (a * data.x[i] - data.y[i]) * data.x[i];
    a -= step * gradient;
    if (std::abs(gradient) < 1e-9) return n;
  }
  return 1'000'000;
}

} // namespace

int main() {
  const observations data{{1, 2, 3}, {2, 4, 6}};
  const std::vector<double> steps{0.00001, 0.0001, 0.001, 0.01, 0.1};

  //! [unordered]
  std::vector<int> iterations(steps.size());
  lk::parallel::invoker inv{data, iterations_until_fit, {.n_jobs = 2}};
  for (const auto& found : inv.map_unordered(steps)) iterations[found.index] = found.value; // the quickest first
  //! [unordered]

  for (std::size_t i = 0; i < steps.size(); ++i)
    std::cout << "step " << steps[i] << ": " << iterations[i] << " iterations\n";
  const auto best = std::ranges::min_element(iterations);
  std::cout << "best step: " << steps[static_cast<std::size_t>(best - iterations.begin())] << '\n';
}
