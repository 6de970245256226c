// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <ranges>
#include <stop_token>
#include <string>
#include <vector>

#include <lk/parallel.hpp>

#include <recsys/batch_job.hpp>
#include <recsys/number_text.hpp>
#include <recsys/settings.hpp>
#include <recsys/top_n.hpp>

// The main job: every user's list, made by the workers of an invoker and written in the order of the users.

namespace recsys {

/// What the workers were, taken when the last list was there, before they left.
using worker_facts = lk::parallel::invoker_stats;

inline void write_list(const recommender& from, std::uint32_t user, const std::vector<scored_item>& list,
                       std::string& to) {
  std::size_t rank = 0;
  for (const scored_item& one : list) {
    append_number(to, from.data.user_ids[user]) += ',';
    append_number(to, ++rank) += ',';
    append_number(to, from.data.item_ids[one.item]) += ',';
    append_number(to, one.score) += '\n';
  }
}

/// Writes the lists that are left. Throws: as batch_job::run.
inline worker_facts score_users(const recommender& from, const settings& asked, const std::stop_token& stop,
                                batch_job& job) {
  const auto n_users = static_cast<std::uint32_t>(from.data.user_ids.size());
  lk::parallel::invoker_options options;
  options.n_jobs = asked.jobs;
  options.where = asked.where;
  options.progress = job.progress("scoring", n_users, "users");
  options.seed = asked.seed;
  options.stop = stop;
  lk::parallel::invoker inv{from, top_n(asked.n), options};
  job.run(inv, std::views::iota(std::uint32_t{0}, n_users),
          [&](std::size_t user, const std::vector<scored_item>& list, std::string& to) {
            write_list(from, static_cast<std::uint32_t>(user), list, to);
          });
  options.progress->finish();
  return inv.stats();
}

} // namespace recsys
