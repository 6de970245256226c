// lk-parallel | SPDX-License-Identifier: MIT
// expect: a view would be left without the memory it looks at
#include <span>
#include <vector>

#include <lk/parallel/codec.hpp>

struct request {
#ifdef LK_CORRECTED
  std::vector<float> weights;
#else
  std::span<const float> weights;
#endif
};

int main() { lk::parallel::wire::require_codable_argument<request>(); }
