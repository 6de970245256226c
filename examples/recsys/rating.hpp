// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// One rating as MovieLens files hold it. The reader and the generator make them, the index turns them into rows.

namespace recsys {

struct rating {
  std::int64_t user = 0;
  std::int64_t item = 0;
  float value = 0;            ///< 0.5 to 5
  std::int64_t timestamp = 0; ///< Units: seconds since 1970

  friend bool operator==(const rating&, const rating&) = default;
};

} // namespace recsys
