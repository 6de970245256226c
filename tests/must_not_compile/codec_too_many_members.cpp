// lk-parallel | SPDX-License-Identifier: MIT
// expect: an aggregate of more than 16 members cannot be taken apart
#include <string>

#include <lk/parallel/codec.hpp>

struct record {
  std::string name;
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o;
#ifndef LK_CORRECTED
  int one_too_many;
#endif
};

int main() { lk::parallel::wire::require_codable_argument<record>(); }
