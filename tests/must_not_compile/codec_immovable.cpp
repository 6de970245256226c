// lk-parallel | SPDX-License-Identifier: MIT
// expect: a type that cannot be moved cannot be handed over
#include <lk/parallel/codec.hpp>

struct pinned {
  int value;
#ifndef LK_CORRECTED
  pinned(pinned&&) = delete;
#endif
};

int main() { lk::parallel::wire::require_codable_result<pinned>(); }
