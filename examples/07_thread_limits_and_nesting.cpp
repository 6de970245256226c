// lk-parallel | SPDX-License-Identifier: MIT

#include <cstddef>
#include <iostream>
#include <ranges>
#include <vector>

#include <Eigen/Core>
#include <lk/parallel.hpp>

// Who gets how many threads: the libraries of this process, and parallel code inside parallel code.

namespace {

double total = 0;

/// Stands for code that has many small products, which more threads only slow down.
void multiply_many_small_matrices() {
  const Eigen::MatrixXd small = Eigen::MatrixXd::Constant(8, 8, 0.5);
  for (int i = 0; i < 1000; ++i) total += (small * small)(0, 0);
}

} // namespace

int main() {
  lk::parallel::initialize({.processes = 2, .child_threads = 1});

  for (const lk::parallel::backend_pool& pool : lk::parallel::backend_pools())
    std::cerr << pool.name << ' ' << pool.version << " has " << pool.threads() << " threads: " << pool.file << '\n';

  //! [limit]
  {
    const lk::parallel::backend_limit one(1); // every BLAS and OpenMP of this process
    multiply_many_small_matrices();
  } // and back
  //! [limit]
  std::cout << "sum of a thousand products: " << total << '\n';

  //! [nesting]
  // A task that wants workers of its own gets its result, and no more CPUs: its invoker runs in place.
  const std::vector<int> model{1, 2, 3};
  lk::parallel::invoker outer{
      model, [](const std::vector<int>& m, int x) {
        lk::parallel::invoker inner{
            m, [x](const std::vector<int>& own, std::size_t i) { return own[i] * x; }, {.n_jobs = 4}};
        int sum = 0;
        for (const int product : inner.map(std::views::iota(std::size_t{0}, m.size()))) sum += product;
        const bool in_place = inner.stats().where == lk::parallel::execution::sequential;
        return in_place ? sum : -1;
      }};
  for (const int sum : outer.map(std::views::iota(1, 4))) std::cout << "nested: " << sum << '\n';
  //! [nesting]
}
