// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ostream>
#include <string>

#include <lk/parallel.hpp>

#include <recsys/score_users.hpp>
#include <recsys/settings.hpp>

// What a person reads when the program is done.

namespace recsys {

struct run_times {
  double data = 0, training = 0, scoring = 0; ///< Units: seconds
};

/// 1000209 as 1,000,209.
inline std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

inline std::string with_decimals(double number, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, number);
  return text;
}

/// Units: bytes in, MiB out.
inline std::string as_mib(std::size_t bytes) {
  return with_decimals(static_cast<double>(bytes) / (1 << 20), 1) + " MiB";
}

inline std::string count_of(std::size_t n, const std::string& what) {
  return with_commas(n) + " " + what + (n == 1 ? "" : what.ends_with("process") ? "es" : "s");
}

/// Where the lists were made.
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

/// n_scored: users scored in this run.
inline void print_summary(std::ostream& to, const settings& asked, const interactions& data, std::size_t n_ratings,
                          std::size_t n_scored, const worker_facts& workers, const batch_job& job,
                          const run_times& times) {
  const lk::parallel::ParallelConfig& knobs = lk::parallel::get_parallel_config();
  const std::size_t users = data.user_ids.size();
  const auto in_time = [](double seconds) { return with_decimals(seconds, seconds < 10 ? 2 : 1) + " s"; };
  to << "data      " << (asked.ratings.empty() ? "generated, seed " + std::to_string(asked.seed) : asked.ratings)
     << ": " << count_of(n_ratings, "rating") << " of " << count_of(users, "user") << " and "
     << count_of(data.item_ids.size(), "item") << ", " << in_time(times.data) << "\n"
     << "knobs     processes " << knobs.processes << ", threads " << knobs.threads << ", backend threads "
     << knobs.backend_threads << ", child threads " << knobs.child_threads << "\n"
     << "training  implicit ALS, " << count_of(static_cast<std::size_t>(asked.model.als.features), "feature") << ", "
     << count_of(static_cast<std::size_t>(asked.model.als.epochs), "epoch") << ": " << in_time(times.training) << "\n"
     << "scoring   top " << asked.n << " of unseen items, " << place_of(workers) << ": " << in_time(times.scoring)
     << ", " << with_commas(static_cast<std::uint64_t>(static_cast<double>(n_scored) / std::max(times.scoring, 1e-9)))
     << " users per second"
     << (n_scored < job.done() ? ", " + count_of(job.done() - n_scored, "user") + " kept from before" : "") << "\n"
     << "memory    " << memory_line(workers) << "\n"
     << "output    " << asked.batch.file() << ": " << count_of(job.rows(), "row") << "\n";
}

} // namespace recsys
