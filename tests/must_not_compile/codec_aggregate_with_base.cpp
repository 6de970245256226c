// lk-parallel | SPDX-License-Identifier: MIT
// expect: an aggregate with a base class cannot be taken apart
#include <lk/parallel/codec.hpp>

struct tagged {
  int tag;
};

#ifdef LK_CORRECTED
struct item {
  tagged base;
  float score;
};
#else
struct item : tagged {
  float score;
};
#endif

int main() { lk::parallel::wire::require_codable_result<item>(); }
