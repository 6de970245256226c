// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include <lk/parallel/errors.hpp>
#include <lk/parallel/progress.hpp>

#include <recsys/interactions.hpp>
#include <recsys/user_profile.hpp>

// The same list for everybody: what most users have rated. The least that a recommender has to beat.

namespace recsys {

struct popularity_model {
  std::vector<float> counts; ///< users who have rated each item

  float score(const user_profile&, std::uint32_t item) const { return counts[item]; }
};

inline popularity_model train_popularity(const interactions& data, const std::stop_token& stop = {},
                                         const std::shared_ptr<lk::parallel::Progress>& progress = {}) {
  if (stop.stop_requested()) throw lk::parallel::cancelled();
  popularity_model model;
  model.counts.reserve(data.by_item.size());
  for (std::size_t item = 0; item < data.by_item.size(); ++item)
    model.counts.push_back(static_cast<float>(data.by_item[item].size()));
  if (progress) progress->update(data.by_item.size());
  return model;
}

} // namespace recsys
