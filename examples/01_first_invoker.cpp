// lk-parallel | SPDX-License-Identifier: MIT

#include <algorithm>
#include <array>
#include <iostream>
#include <iterator>
#include <vector>

#include <lk/parallel.hpp>

// The smallest program that uses an invoker; the README shows its marked lines.

using tastes = std::array<float, 2>;

struct taste_model {
  std::vector<tastes> items;
};

/// The number of the item that fits a user best.
std::ptrdiff_t best_item(const taste_model& model, const tastes& user) {
  const auto worse = [&](const tastes& a, const tastes& b) {
    return a[0] * user[0] + a[1] * user[1] < b[0] * user[0] + b[1] * user[1];
  };
  return std::distance(model.items.begin(), std::max_element(model.items.begin(), model.items.end(), worse));
}

int main() {
  //! [first invoker]
  lk::parallel::initialize({.processes = 2});
  const taste_model model{{{0.9f, 0.1f}, {0.2f, 0.8f}, {0.6f, 0.7f}}};
  const std::vector<tastes> users{{1, 0}, {0, 1}, {0.5f, 0.5f}};

  lk::parallel::invoker inv{model, best_item}; // forks two workers that hold the model without a copy
  for (const std::ptrdiff_t item : inv.map(users)) std::cout << item << '\n'; // in the order of the users
  //! [first invoker]
}
