// lk-parallel | SPDX-License-Identifier: MIT

#include <iostream>
#include <stop_token>
#include <vector>

#include <CLI/CLI.hpp>

#include <lk/parallel/initialize.hpp>
#include <lk/parallel/stop_on_signals.hpp>

#include <recsys/batch_job.hpp>
#include <recsys/batch_program.hpp>
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
  recsys::check_settings(asked);
  lk::parallel::initialize({.processes = asked.common.jobs});
  recsys::run_times times;
  recsys::stopwatch watch;
  recsys::batch_job job(asked.common.batch, command, recsys::identity_of(asked), "user,item,prediction\n");
  if (job.is_complete()) {
    std::cout << job.file() << " is complete; to make it again: --fresh\n";
    return;
  }
  recsys::bad_rows bad(asked.common.bad_row_policy);
  recsys::prediction_task task = get_task(asked, bad);
  const std::vector<recsys::pair_run> runs = recsys::runs_of(task.pairs);
  const recsys::data_facts data = recsys::facts_of(task.from.data, bad);
  times.data = watch.lap();
  task.from.model = recsys::train_with_progress(command.name(), task.from.data, asked.common.model, stop);
  times.training = watch.lap();
  const std::size_t n_kept = job.done();
  const recsys::prediction_result result = recsys::predict_pairs(task, runs, asked.common, stop, job);
  job.commit(recsys::counts_of(data));
  times.scoring = watch.lap();

  recsys::print_beginning(std::cout, asked.common, data, times);
  std::cout << "predicted " << (asked.pairs.empty() ? "ratings that were held back" : asked.pairs) << ", "
            << recsys::place_of(result.workers) << ": "
            << recsys::speed_of(result.n_pairs, "pair", recsys::some_of(n_kept, "task"), times.scoring) << "\n"
            << "none      for " << recsys::count_of(result.n_none, "pair") << " of " << result.n_pairs << "\n";
  recsys::print_end(std::cout, result.workers, job);
}

} // namespace

int main(int argc, char** argv) {
  recsys::predict_settings asked;
  CLI::App app("Trains a model on ratings and predicts what users will give to items, for each pair of a file.",
               "batch_predict");
  recsys::add_options(app, asked);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : recsys::exit_not_usable;
  }
  asked.common.model.als.seed = asked.common.seed;
  recsys::prepare_process("batch_predict");
  const std::stop_token stop = lk::parallel::stop_on_signals();
  const recsys::command_line command("batch_predict", argc, argv);
  return recsys::run_and_report(command, [&] { run(asked, command, stop); });
}
