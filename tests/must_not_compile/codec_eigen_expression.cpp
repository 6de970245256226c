// lk-parallel | SPDX-License-Identifier: MIT
// expect: a view would be left without the memory it looks at
#include <Eigen/Core>

#include <lk/parallel/codec.hpp>
#include <lk/parallel/eigen.hpp>

#ifdef LK_CORRECTED
using sent = Eigen::VectorXf;
#else
using sent = decltype(Eigen::MatrixXf() * Eigen::VectorXf());
#endif

int main() { lk::parallel::wire::require_codable_result<sent>(); }
