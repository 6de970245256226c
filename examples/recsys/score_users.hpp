// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <ranges>
#include <stop_token>
#include <vector>

#include <lk/parallel.hpp>

#include <recsys/output_file.hpp>
#include <recsys/settings.hpp>
#include <recsys/top_n.hpp>

// The main job: every user's list, made by the workers of an invoker and written in the order of the users.

namespace recsys {

struct scoring_result {
  std::size_t rows = 0;
  lk::parallel::invoker_stats workers; ///< taken when the last list was there, before the workers left
};

/// Writes the header and all lists to out, which the caller commits. Throws: lk::parallel::error, std::system_error.
inline scoring_result score_users(const recommender& from, const settings& asked, const std::stop_token& stop,
                                  output_file& out) {
  const auto n_users = static_cast<std::uint32_t>(from.data.user_ids.size());
  lk::parallel::invoker_options options;
  options.n_jobs = asked.jobs;
  options.where = asked.where;
  options.progress = lk::parallel::invoke_progress("batch_recommend", "scoring", n_users, "users");
  options.seed = asked.seed;
  options.stop = stop;
  lk::parallel::invoker inv{from, top_n(asked.n), options};

  out << "user,rank,item,score\n";
  scoring_result result;
  std::uint32_t user = 0;
  for (const std::vector<scored_item>& list : inv.map(std::views::iota(std::uint32_t{0}, n_users))) {
    std::size_t rank = 0;
    for (const scored_item& one : list)
      out << from.data.user_ids[user] << "," << ++rank << "," << from.data.item_ids[one.item] << "," << one.score
          << "\n";
    result.rows += rank;
    ++user;
  }
  options.progress->finish();
  result.workers = inv.stats();
  return result;
}

} // namespace recsys
