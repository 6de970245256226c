// lk-parallel | SPDX-License-Identifier: MIT
// expect: or include <lk/parallel/eigen.hpp> if it is an Eigen matrix
#include <Eigen/Core>

#include <lk/parallel/codec.hpp>
#ifdef LK_CORRECTED
#include <lk/parallel/eigen.hpp>
#endif

int main() { lk::parallel::wire::require_codable_result<Eigen::VectorXf>(); }
