// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

#include <recsys/output_file.hpp>
#include <recsys/rating.hpp>

// Writes ratings in the form of MovieLens' ratings.csv, so that the reader and other programs can take them.

namespace recsys {

/// Throws: as output_file.
inline void write_ratings(const std::string& path, std::span<const rating> ratings) {
  output_file file(path);
  file << "userId,movieId,rating,timestamp\n";
  for (const rating& one : ratings) {
    file << one.user << "," << one.item << "," << one.value
         << (one.value == static_cast<float>(static_cast<int>(one.value)) ? ".0," : ",");
    file << one.timestamp << "\n";
  }
  file.commit();
}

} // namespace recsys
