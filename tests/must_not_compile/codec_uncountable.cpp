// lk-parallel | SPDX-License-Identifier: MIT
// expect: this aggregate cannot be taken apart
#include <lk/parallel/codec.hpp>

struct ticket {
  explicit ticket(int n) : number(n) {}
  ticket(ticket&&) = default;
  int number;
};

struct job {
#ifndef LK_CORRECTED
  int& counter;
#endif
  ticket mine;
};

template <> struct lk::parallel::codec<ticket> {
  static void encode(const ticket& value, wire::writer& out) { wire::encode(value.number, out); }
  static ticket decode(wire::reader& in) { return ticket(wire::decode<int>(in)); }
};

int main() { lk::parallel::wire::require_codable_argument<job>(); }
