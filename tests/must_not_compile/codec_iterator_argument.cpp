// lk-parallel | SPDX-License-Identifier: MIT
// expect: an iterator points into a container of one process
#include <vector>

#include <lk/parallel/codec.hpp>

#ifdef LK_CORRECTED
using sent = std::size_t;
#else
using sent = std::vector<int>::const_iterator;
#endif

int main() { lk::parallel::wire::require_codable_argument<sent>(); }
