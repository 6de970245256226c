// lk-parallel | SPDX-License-Identifier: MIT
// expect: a pointer means nothing in another process
#include <lk/parallel/codec.hpp>

// A codec that is used without asking first says the same sentence.

void send(lk::parallel::wire::writer& out) {
  static int target = 0;
#ifdef LK_CORRECTED
  lk::parallel::wire::encode(target, out);
#else
  lk::parallel::wire::encode(&target, out);
#endif
}
