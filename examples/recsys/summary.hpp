// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>

#include <lk/parallel/initialize.hpp>
#include <lk/parallel/invoker.hpp>

#include <recsys/bad_rows.hpp>
#include <recsys/batch_job.hpp>
#include <recsys/interactions.hpp>
#include <recsys/settings.hpp>
#include <recsys/shown_numbers.hpp>

// What a person reads when the program is done.

namespace recsys {

struct run_times {
  double data = 0, training = 0, scoring = 0; ///< Units: seconds
};

/// What there was to learn from.
struct data_facts {
  std::size_t ratings = 0, users = 0, items = 0, repeated = 0, bad_rows = 0;
};

inline data_facts facts_of(const interactions& data, const bad_rows& bad) {
  return {data.by_user.columns.size() + data.n_repeated, data.user_ids.size(), data.item_ids.size(), data.n_repeated,
          bad.count()};
}

/// For the manifest.
inline json counts_of(const data_facts& data) {
  return {{"ratings", data.ratings},
          {"users", data.users},
          {"items", data.items},
          {"repeated_ratings", data.repeated},
          {"bad_rows", data.bad_rows}};
}

/// Where the tasks ran.
inline std::string place_of(const lk::parallel::invoker_stats& workers) {
  if (!workers.each.empty()) return "in " + count_of(workers.each.size(), "worker process");
  if (workers.where == lk::parallel::execution::threads)
    return "in " + count_of(static_cast<std::size_t>(workers.workers), "thread");
  return "in this process";
}

/// The worker that needs most speaks for all.
inline std::string memory_line(const lk::parallel::invoker_stats& workers) {
  std::size_t own = 0, share = 0;
  for (const auto& worker : workers.each) {
    own = std::max(own, worker.private_dirty_bytes);
    share = std::max(share, worker.proportional_bytes);
  }
  if (workers.each.empty()) return "all of it in this process";
  return as_mib(own) + " of its own in each worker at most; " + as_mib(share) + " with its share of the model";
}

inline std::string in_seconds(double seconds) { return with_decimals(seconds, seconds < 10 ? 2 : 1) + " s"; }

/// The lines of all programs: what the data are, the knobs, and what was trained.
inline void print_beginning(std::ostream& to, const settings& asked, const data_facts& data, const run_times& times) {
  const lk::parallel::ParallelConfig& knobs = lk::parallel::get_parallel_config();
  to << "data      " << (asked.ratings.empty() ? "generated, seed " + std::to_string(asked.seed) : asked.ratings)
     << ": " << count_of(data.ratings, "rating") << " of " << count_of(data.users, "user") << " and "
     << count_of(data.items, "item") << ", " << in_seconds(times.data) << "\n";
  if (data.repeated > 0) to << "repeated  " << count_of(data.repeated, "rating") << " of a pair that is rated later\n";
  if (data.bad_rows > 0) to << "left out  " << count_of(data.bad_rows, "bad row") << "\n";
  to << "knobs     processes " << knobs.processes << ", threads " << knobs.threads << ", backend threads "
     << knobs.backend_threads << ", child threads " << knobs.child_threads << "\n"
     << "training  " << description_of(asked.model) << ": " << in_seconds(times.training) << "\n";
}

/// n: what was done in this run, of which each is called unit; kept: what was done before.
inline std::string speed_of(std::size_t n, const std::string& unit, const std::string& kept, double seconds) {
  const double per_second = static_cast<double>(n) / std::max(seconds, 1e-9);
  return in_seconds(seconds) + ", " + with_commas(static_cast<std::uint64_t>(per_second)) + " " + unit +
         "s per second" + (kept.empty() ? "" : ", " + kept + " kept from before");
}

/// "41,210 users", and nothing where there are none.
inline std::string some_of(std::size_t n, const std::string& what) { return n == 0 ? "" : count_of(n, what); }

inline void print_end(std::ostream& to, const lk::parallel::invoker_stats& workers, const batch_job& job) {
  to << "memory    " << memory_line(workers) << "\n"
     << "output    " << job.file() << ": " << count_of(job.rows(), "row") << "\n";
}

} // namespace recsys
