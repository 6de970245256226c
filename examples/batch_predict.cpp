// lk-parallel | SPDX-License-Identifier: MIT

#include <iostream>
#include <stop_token>
#include <vector>

#include <recsys/batch_main.hpp>
#include <recsys/batch_steps.hpp>
#include <recsys/pairs_reader.hpp>
#include <recsys/predict_pairs.hpp>
#include <recsys/predict_settings.hpp>
#include <recsys/stopwatch.hpp>
#include <recsys/summary.hpp>

// Trains a model that knows how many stars a user will give to an item, and writes that for each pair of a file.

namespace {

/// Reads what there is to learn from and to predict.
recsys::prediction_task get_task(const recsys::predict_settings& asked, recsys::bad_rows& bad) {
  recsys::prediction_task task;
  std::vector<recsys::rating> ratings = recsys::get_ratings(asked.common, bad);
  task.pairs =
      asked.pairs.empty() ? recsys::hold_back(ratings, asked.common.seed) : recsys::read_pairs(asked.pairs, bad);
  task.from.data = recsys::index_ratings(ratings);
  return task;
}

void run(const recsys::predict_settings& asked, const recsys::command_line& command, const std::stop_token& stop) {
  recsys::run_times times;
  recsys::stopwatch watch;
  const auto job = recsys::begin_job(asked, command, "user,item,prediction\n");
  if (!job) return;
  recsys::bad_rows bad(asked.common.bad_row_policy);
  recsys::prediction_task task = get_task(asked, bad);
  const std::vector<recsys::pair_run> runs = recsys::runs_of(task.pairs);
  job->check_inputs();
  const recsys::data_facts data = recsys::facts_of(task.from.data, bad);
  times.data = watch.lap();
  task.from.model = recsys::train_with_progress(command.name(), task.from.data, asked.common.model, stop);
  times.training = watch.lap();
  const std::size_t n_kept = job->done();
  const recsys::prediction_result result = recsys::predict_pairs(task, runs, asked.common, stop, *job);
  job->commit(recsys::counts_of(data));
  times.scoring = watch.lap();

  recsys::print_beginning(std::cout, asked.common, data, times);
  std::cout << "predicted " << (asked.pairs.empty() ? "ratings that were held back" : asked.pairs) << ", "
            << recsys::place_of(result.workers) << ": "
            << recsys::speed_of(result.n_pairs, "pair", recsys::some_of(n_kept, "task"), times.scoring) << "\n"
            << "none      for " << recsys::count_of(result.n_none, "pair") << " of " << result.n_pairs << "\n";
  recsys::print_end(std::cout, result.workers, *job);
}

} // namespace

int main(int argc, char** argv) {
  return recsys::batch_main<recsys::predict_settings>(
      "batch_predict", "Trains a model on ratings and predicts what users will give to items, for each pair of a file.",
      argc, argv, run);
}
