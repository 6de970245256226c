// lk-parallel | SPDX-License-Identifier: MIT
// expect: the result type cannot be sent back from another process
// expect: a reference cannot cross processes
#include <string>

#include <lk/parallel/codec.hpp>

#ifdef LK_CORRECTED
using sent = std::string;
#else
using sent = const std::string&;
#endif

int main() { lk::parallel::wire::require_codable_result<sent>(); }
