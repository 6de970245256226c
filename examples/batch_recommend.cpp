// lk-parallel | SPDX-License-Identifier: MIT

#include <signal.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <iostream>
#include <new>
#include <stdexcept>
#include <stop_token>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <lk/parallel.hpp>

#include <recsys/generator.hpp>
#include <recsys/output_file.hpp>
#include <recsys/ratings_reader.hpp>
#include <recsys/ratings_writer.hpp>
#include <recsys/score_users.hpp>
#include <recsys/settings.hpp>
#include <recsys/summary.hpp>

// Trains a recommender and writes the best unseen items of every user: the whole way from a ratings file (or generated
// data) over training on all cores and scoring in worker processes to a CSV file.

namespace {

constexpr int exit_failed = 1, exit_not_usable = 2, exit_interrupted = 130;

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

recsys::als_model train(const recsys::interactions& data, const recsys::als_options& options,
                        const std::stop_token& stop) {
  const std::size_t rows = data.by_user.size() + data.by_item.size();
  const auto progress = lk::parallel::invoke_progress("batch_recommend", "training",
                                                      rows * static_cast<std::size_t>(options.epochs), "rows");
  return recsys::train_als(data, options, stop, progress);
}

void run(const recsys::settings& asked, const std::stop_token& stop) {
  recsys::run_times times;
  stopwatch watch;
  recsys::output_file out(asked.out); // first of all: a folder that cannot be written is known before the work
  std::size_t n_ratings = 0;
  recsys::recommender made;
  {
    const std::vector<recsys::rating> ratings = get_ratings(asked);
    n_ratings = ratings.size();
    made.data = recsys::index_ratings(ratings);
  } // training data that no worker needs are gone before the workers come
  times.data = watch.lap();
  made.model = train(made.data, asked.als, stop);
  times.training = watch.lap();
  const recsys::scoring_result result = recsys::score_users(made, asked, stop, out);
  out.commit();
  times.scoring = watch.lap();
  recsys::print_summary(std::cout, asked, made.data, n_ratings, result, times);
}

int complain(int exit_code, const char* what) {
  std::cerr << "batch_recommend: " << what << std::endl;
  return exit_code;
}

/// Runs what was asked for and turns every way to fail into a sentence and an exit code.
int run_and_report(const recsys::settings& asked, const std::stop_token& stop) {
  try {
    recsys::check_settings(asked);
    lk::parallel::initialize({.processes = asked.jobs});
    run(asked, stop);
    return 0;
  } catch (const lk::parallel::cancelled&) {
    return complain(exit_interrupted, "interrupted, nothing was written");
  } catch (const lk::parallel::config_error& e) {
    return complain(exit_not_usable, e.what());
  } catch (const recsys::ratings_error& e) {
    return complain(exit_not_usable, e.what());
  } catch (const std::invalid_argument& e) {
    return complain(exit_not_usable, e.what());
  } catch (const std::bad_alloc&) {
    return complain(exit_failed, "out of memory");
  } catch (const std::exception& e) {
    return complain(exit_failed, e.what());
  }
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
    return app.exit(e) == 0 ? 0 : exit_not_usable;
  }
  asked.als.seed = asked.seed;
  for (const int signal : {SIGPIPE, SIGXFSZ}) ::signal(signal, SIG_IGN);  // as errors they leave no half-written file
  spdlog::set_default_logger(spdlog::stderr_color_mt("batch_recommend")); // stdout is for the summary
  return run_and_report(asked, lk::parallel::stop_on_signals());
}
