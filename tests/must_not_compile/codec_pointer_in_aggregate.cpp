// lk-parallel | SPDX-License-Identifier: MIT
// expect: a pointer means nothing in another process
#include <string>
#include <vector>

#include <lk/parallel/codec.hpp>

struct query {
  int user;
#ifdef LK_CORRECTED
  std::vector<std::string> words;
#else
  std::vector<const char*> words;
#endif
};

int main() { lk::parallel::wire::require_codable_argument<query>(); }
