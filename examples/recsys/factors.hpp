// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include <Eigen/Core>

#include <lk/parallel/huge_page_resource.hpp>

#include <recsys/random_source.hpp>

// What both kinds of matrix factorisation are made of, and their options.

namespace recsys {

using factors = Eigen::MatrixXf; ///< features x users or items: what belongs to one of them lies together

/// The defaults are those of LensKit's ImplicitMF and BiasedMF.
struct als_options {
  int features = 50;
  int epochs = 20;
  float regularisation = 0.1f;
  float weight = 40; ///< implicit only: what a rating adds to the confidence
  float damping = 5; ///< explicit only: ratings of no deviation that each bias is thought to have besides its own
  std::uint64_t seed = 1;
};

/// Nothing in it yet; in huge pages where the system has any, so that workers are forked quickly whatever its size.
inline factors empty_factors(Eigen::Index features, std::size_t n) {
  factors made(features, static_cast<Eigen::Index>(n));
  lk::parallel::prefer_huge_pages(made);
  return made;
}

/// Small positive numbers, the same on every machine.
inline factors first_factors(Eigen::Index features, std::size_t n, std::uint64_t seed) {
  random_source random(seed);
  factors made = empty_factors(features, n);
  for (float& one : made.reshaped()) one = static_cast<float>(random.below(1 << 20)) / static_cast<float>(100 << 20);
  return made;
}

} // namespace recsys
