// lk-parallel | SPDX-License-Identifier: MIT

#include <iostream>
#include <stop_token>

#include <recsys/batch_main.hpp>
#include <recsys/batch_steps.hpp>
#include <recsys/recommend_settings.hpp>
#include <recsys/score_users.hpp>
#include <recsys/stopwatch.hpp>
#include <recsys/summary.hpp>

// Trains a recommender and writes the best unseen items of every user: the whole way from a ratings file (or generated
// data) over training on all cores and scoring in worker processes to a CSV file.

namespace {

void run(const recsys::recommend_settings& asked, const recsys::command_line& command, const std::stop_token& stop) {
  recsys::run_times times;
  recsys::stopwatch watch;
  const auto job = recsys::begin_job(asked, command, "user,rank,item,score\n");
  if (!job) return;
  recsys::bad_rows bad(asked.common.bad_row_policy);
  recsys::recommender made;
  made.data = recsys::index_ratings(recsys::get_ratings(asked.common, bad)); // the list itself no worker needs
  const recsys::list_plan plan = recsys::plan_lists(made.data, asked, bad);
  job->check_inputs();
  const recsys::data_facts data = recsys::facts_of(made.data, bad);
  times.data = watch.lap();
  made.model = recsys::train_with_progress(command.name(), made.data, asked.common.model, stop);
  times.training = watch.lap();
  const std::size_t n_kept = job->done();
  const recsys::worker_facts workers = recsys::score_users(made, plan, asked.common, stop, *job);
  job->commit(recsys::counts_of(data));
  times.scoring = watch.lap();

  recsys::print_beginning(std::cout, asked.common, data, times);
  std::cout << "scoring   top " << asked.n << " of " << (asked.exclude_seen ? "unseen " : "all ")
            << (asked.candidates.empty() ? "items, " : "candidates, ") << recsys::place_of(workers) << ": "
            << recsys::speed_of(job->done() - n_kept, "user", recsys::some_of(n_kept, "user"), times.scoring) << "\n";
  recsys::print_end(std::cout, workers, *job);
}

} // namespace

int main(int argc, char** argv) {
  return recsys::batch_main<recsys::recommend_settings>(
      "batch_recommend", "Trains a recommender on ratings and writes the best unseen items of every user.", argc, argv,
      run);
}
