// lk-parallel | SPDX-License-Identifier: MIT
// expect: a reference cannot cross processes
#include <lk/parallel/codec.hpp>

struct request {
#ifdef LK_CORRECTED
  int limit;
#else
  const int& limit;
#endif
};

int main() { lk::parallel::wire::require_codable_argument<request>(); }
