// lk-parallel | SPDX-License-Identifier: MIT
// expect: the argument type cannot be sent to another process
// expect: a pointer means nothing in another process
#include <string>

#include <lk/parallel/codec.hpp>

#ifdef LK_CORRECTED
using sent = std::string;
#else
using sent = const char*;
#endif

int main() { lk::parallel::wire::require_codable_argument<sent>(); }
