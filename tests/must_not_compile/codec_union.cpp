// lk-parallel | SPDX-License-Identifier: MIT
// expect: nobody can tell which member of a union is alive
#include <variant>

#include <lk/parallel/codec.hpp>

#ifdef LK_CORRECTED
using either = std::variant<int, float>;
#else
union either {
  int whole;
  float part;
};
#endif

int main() { lk::parallel::wire::require_codable_argument<either>(); }
