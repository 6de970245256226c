// lk-parallel | SPDX-License-Identifier: MIT
// expect: the result type cannot be sent back from another process
// expect: a view would be left without the memory it looks at
#include <string>
#include <string_view>

#include <lk/parallel/codec.hpp>

#ifdef LK_CORRECTED
using sent = std::string;
#else
using sent = std::string_view;
#endif

int main() { lk::parallel::wire::require_codable_result<sent>(); }
