// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <lk/parallel/invoker.hpp>

#include <recsys/bad_rows.hpp>
#include <recsys/batch_job.hpp>
#include <recsys/batch_steps.hpp>
#include <recsys/ids_reader.hpp>
#include <recsys/number_text.hpp>
#include <recsys/recommend_settings.hpp>
#include <recsys/top_n.hpp>

// The main job: users' lists, made by the workers of an invoker and written in the order of the users.

namespace recsys {

/// Whose lists are made, and of what.
struct list_plan {
  std::vector<std::uint32_t> users; ///< in the order of the output
  list_options lists;
};

/// Throws: input_error.
inline list_plan plan_lists(const interactions& data, const recommend_settings& asked, bad_rows& bad) {
  list_plan plan;
  plan.lists.n = asked.n;
  plan.lists.exclude_seen = asked.exclude_seen;
  if (!asked.candidates.empty()) {
    plan.lists.all_items = false;
    plan.lists.candidates = read_ids(asked.candidates, data.item_ids, "item", bad);
    std::sort(plan.lists.candidates.begin(), plan.lists.candidates.end());
  }
  if (asked.user_list.empty()) {
    plan.users.resize(data.user_ids.size());
    std::iota(plan.users.begin(), plan.users.end(), std::uint32_t{0});
  } else {
    plan.users = read_ids(asked.user_list, data.user_ids, "user", bad);
  }
  return plan;
}

/// What the workers were, taken when the last list was there, before they left.
using worker_facts = lk::parallel::invoker_stats;

inline void write_list(const recommender& from, std::uint32_t user, std::span<const scored_item> list,
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
inline worker_facts score_users(const recommender& from, const list_plan& plan, const settings& asked,
                                const std::stop_token& stop, batch_job& job) {
  lk::parallel::invoker_options options = invoker_options_of(asked, stop);
  options.first_task = job.left_of(plan.users.size()).begin;
  options.progress = job.progress("scoring", plan.users.size(), "users");
  lk::parallel::invoker inv{from, top_n(plan.lists), options};
  job.run(inv, plan.users, [&](std::size_t task, const std::vector<scored_item>& list, std::string& to) {
    write_list(from, plan.users[task], list, to);
  });
  options.progress->finish();
  return inv.stats();
}

} // namespace recsys
