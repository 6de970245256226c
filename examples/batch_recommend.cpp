// lk-parallel | SPDX-License-Identifier: MIT

#include <iostream>
#include <stop_token>

#include <CLI/CLI.hpp>

#include <lk/parallel/initialize.hpp>
#include <lk/parallel/stop_on_signals.hpp>

#include <recsys/batch_job.hpp>
#include <recsys/batch_program.hpp>
#include <recsys/batch_steps.hpp>
#include <recsys/recommend_settings.hpp>
#include <recsys/score_users.hpp>
#include <recsys/stopwatch.hpp>
#include <recsys/summary.hpp>

// Trains a recommender and writes the best unseen items of every user: the whole way from a ratings file (or generated
// data) over training on all cores and scoring in worker processes to a CSV file.

namespace {

void run(const recsys::recommend_settings& asked, const recsys::command_line& command, const std::stop_token& stop) {
  recsys::check_settings(asked);
  lk::parallel::initialize({.processes = asked.common.jobs});
  recsys::run_times times;
  recsys::stopwatch watch;
  recsys::batch_job job(asked.common.batch, command, recsys::identity_of(asked), "user,rank,item,score\n");
  if (job.is_complete()) {
    std::cout << job.file() << " is complete; to make it again: --fresh\n";
    return;
  }
  recsys::bad_rows bad(asked.common.bad_row_policy);
  recsys::recommender made;
  made.data = recsys::index_ratings(recsys::get_ratings(asked.common, bad)); // the list itself no worker needs
  const recsys::list_plan plan = recsys::plan_lists(made.data, asked, bad);
  const recsys::data_facts data = recsys::facts_of(made.data, bad);
  times.data = watch.lap();
  made.model = recsys::train_with_progress(command.name(), made.data, asked.common.model, stop);
  times.training = watch.lap();
  const std::size_t n_kept = job.done();
  const recsys::worker_facts workers = recsys::score_users(made, plan, asked.common, stop, job);
  job.commit(recsys::counts_of(data));
  times.scoring = watch.lap();

  recsys::print_beginning(std::cout, asked.common, data, times);
  std::cout << "scoring   top " << asked.n << " of " << (asked.exclude_seen ? "unseen " : "all ")
            << (asked.candidates.empty() ? "items, " : "candidates, ") << recsys::place_of(workers) << ": "
            << recsys::speed_of(job.done() - n_kept, "user", recsys::some_of(n_kept, "user"), times.scoring) << "\n";
  recsys::print_end(std::cout, workers, job);
}

} // namespace

int main(int argc, char** argv) {
  recsys::recommend_settings asked;
  CLI::App app("Trains a recommender on ratings and writes the best unseen items of every user.", "batch_recommend");
  recsys::add_options(app, asked);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : recsys::exit_not_usable;
  }
  asked.common.model.als.seed = asked.common.seed;
  recsys::prepare_process("batch_recommend");
  const std::stop_token stop = lk::parallel::stop_on_signals();
  const recsys::command_line command("batch_recommend", argc, argv);
  return recsys::run_and_report(command, [&] { run(asked, command, stop); });
}
