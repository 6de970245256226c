// lk-parallel | SPDX-License-Identifier: MIT
// expect: an array member cannot be filled beside a const member
#include <array>
#include <string>

#include <lk/parallel/codec.hpp>

struct record {
  const int id;
#ifdef LK_CORRECTED
  std::array<std::string, 2> names;
#else
  std::string names[2];
#endif
};

int main() { lk::parallel::wire::require_codable_argument<record>(); }
