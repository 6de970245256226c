// lk-parallel | SPDX-License-Identifier: MIT

#include <chrono>
#include <cstddef>
#include <iostream>
#include <stop_token>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <lk/parallel.hpp>

#include <recsys/batch_job.hpp>
#include <recsys/batch_program.hpp>
#include <recsys/generator.hpp>
#include <recsys/ratings_reader.hpp>
#include <recsys/ratings_writer.hpp>
#include <recsys/recommender.hpp>
#include <recsys/score_users.hpp>
#include <recsys/settings.hpp>
#include <recsys/summary.hpp>

// Trains a recommender and writes the best unseen items of every user: the whole way from a ratings file (or generated
// data) over training on all cores and scoring in worker processes to a CSV file.

namespace {

class stopwatch {
 public:
  /// Units: seconds since the last lap or the start.
  double lap() {
    const auto now = clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  using clock = std::chrono::steady_clock;
  clock::time_point last_ = clock::now();
};

std::vector<recsys::rating> get_ratings(const recsys::settings& asked) {
  if (!asked.ratings.empty()) return recsys::read_ratings(asked.ratings);
  std::vector<recsys::rating> ratings = recsys::generate_ratings(asked.shape, asked.seed);
  if (!asked.save_ratings.empty()) recsys::write_ratings(asked.save_ratings, ratings);
  return ratings;
}

recsys::trained_model train_with_progress(const recsys::interactions& data, const recsys::model_options& options,
                                          const std::stop_token& stop) {
  const recsys::training_size size = recsys::size_of_training(data, options);
  const auto progress = lk::parallel::invoke_progress("batch_recommend", "training", size.total, size.unit);
  return recsys::train(data, options, stop, progress);
}

void run(const recsys::settings& asked, const recsys::command_line& command, const std::stop_token& stop) {
  recsys::check_settings(asked);
  lk::parallel::initialize({.processes = asked.jobs});
  recsys::run_times times;
  stopwatch watch;
  recsys::batch_job job(asked.batch, command, recsys::identity_of(asked), "user,rank,item,score\n");
  if (job.is_complete()) {
    std::cout << job.file() << " is complete; to make it again: --fresh\n";
    return;
  }
  std::size_t n_ratings = 0;
  recsys::recommender made;
  {
    const std::vector<recsys::rating> ratings = get_ratings(asked);
    n_ratings = ratings.size();
    made.data = recsys::index_ratings(ratings);
  } // training data that no worker needs are gone before the workers come
  times.data = watch.lap();
  made.model = train_with_progress(made.data, asked.model, stop);
  times.training = watch.lap();
  const std::size_t n_kept = job.done();
  const recsys::worker_facts workers = recsys::score_users(made, asked, stop, job);
  job.commit({{"ratings", n_ratings}, {"users", made.data.user_ids.size()}, {"items", made.data.item_ids.size()}});
  times.scoring = watch.lap();
  recsys::print_summary(std::cout, asked, made.data, n_ratings, job.done() - n_kept, workers, job, times);
}

} // namespace

int main(int argc, char** argv) {
  recsys::settings asked;
  CLI::App app("Trains an implicit-feedback ALS model on ratings and writes the best unseen items of every user.",
               "batch_recommend");
  recsys::add_options(app, asked);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : recsys::exit_not_usable;
  }
  asked.model.als.seed = asked.seed;
  recsys::prepare_process("batch_recommend");
  const std::stop_token stop = lk::parallel::stop_on_signals();
  const recsys::command_line command("batch_recommend", argc, argv);
  return recsys::run_and_report(command, [&] { run(asked, command, stop); });
}
