// lk-parallel | SPDX-License-Identifier: MIT

#include <algorithm>
#include <cstddef>
#include <exception>
#include <iostream>
#include <memory>
#include <new>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <lk/parallel/initialize.hpp>
#include <lk/parallel/stop_on_signals.hpp>

#include <recsys/bad_rows.hpp>
#include <recsys/batch_program.hpp>
#include <recsys/batch_steps.hpp>
#include <recsys/evaluate_models.hpp>
#include <recsys/evaluate_settings.hpp>
#include <recsys/evaluation_json.hpp>
#include <recsys/evaluation_plot.hpp>
#include <recsys/evaluation_table.hpp>
#include <recsys/output_file.hpp>

// Compares recommenders: holds back some ratings of each user, trains every model of a grid on the rest, and measures
// lists and predictions of each, with intervals. Prints a table; JSON and a plot where they are asked for.

namespace {

/// Files that were asked for. They are opened before the work, so that a folder that cannot be written is known early.
class output_files {
 public:
  explicit output_files(const recsys::evaluate_settings& asked) {
    if (!asked.json.empty()) json_ = std::make_unique<recsys::output_file>(asked.json);
    if (!asked.svg.empty()) svg_ = std::make_unique<recsys::output_file>(asked.svg);
  }

  void write(const recsys::evaluation& found) {
    if (json_) {
      *json_ << recsys::json_text(found);
      json_->commit();
    }
    if (svg_) {
      *svg_ << recsys::plot_text(found);
      svg_->commit();
    }
  }

 private:
  std::unique_ptr<recsys::output_file> json_, svg_;
};

/// Fills in what is known before the first model, and hands over training data and tests.
std::pair<recsys::recommender, std::vector<recsys::test_user>> divide(const recsys::evaluate_settings& asked,
                                                                      recsys::evaluation& to) {
  recsys::bad_rows bad(asked.common.bad_row_policy);
  const std::vector<recsys::rating> ratings = recsys::get_ratings(asked.common, bad);
  const recsys::divided_ratings parts = recsys::hold_out(ratings, to.holdout);
  if (parts.test.empty()) throw std::invalid_argument("no user has enough ratings to be tested (--min-ratings)");
  recsys::recommender trained;
  trained.data = recsys::index_ratings(parts.training);
  std::vector<recsys::test_user> test = recsys::index_test(parts.test, trained.data);
  to.n_ratings = parts.training.size() + parts.test.size();
  to.n_repeated = ratings.size() - to.n_ratings;
  to.n_bad_rows = bad.count();
  to.n_training = parts.training.size();
  to.n_test = parts.test.size();
  to.n_tested_users = test.size();
  to.n_users = trained.data.user_ids.size(); // each user trains with one rating at least
  to.n_items = recsys::distinct_ids(ratings, &recsys::rating::item).size();
  return {std::move(trained), std::move(test)};
}

/// What one process for all models costs: a line of times, for people.
std::string times_text(const recsys::evaluation& found) {
  recsys::model_times all;
  std::vector<double> pools; ///< to start and stop one
  for (const recsys::model_result& one : found.models) {
    all.training += one.times.training;
    all.scoring += one.times.scoring;
    all.intervals += one.times.intervals;
    if (!one.has_failed()) pools.push_back(one.times.starting + one.times.stopping);
  }
  std::sort(pools.begin(), pools.end());
  std::string text = fmt::format("time       training {:.1f} s, scoring {:.1f} s, intervals {:.1f} s", all.training,
                                 all.scoring, all.intervals);
  if (!pools.empty())
    text += fmt::format("; an invoker was started and stopped in {:.1f} ms (median)", pools[pools.size() / 2] * 1e3);
  return text + "\n";
}

int complain(int exit_code, const std::string& what) {
  std::cerr << "evaluate: " << what << std::endl;
  return exit_code;
}

/// Prints and writes what was found, and hands back the exit code that goes with it.
int end_with(const recsys::evaluation& found, output_files& files) {
  if (found.models.empty()) return complain(recsys::exit_interrupted, "interrupted, nothing was written");
  const std::string table = recsys::table_text(found) + times_text(found);
  try {
    files.write(found);
  } catch (...) { // what was found is not lost with a full disk
    std::cout << table << std::flush;
    throw;
  }
  std::cout << table;
  recsys::finish_stdout();
  const std::size_t n = found.models.size();
  if (!found.is_complete())
    return complain(recsys::exit_interrupted, fmt::format("interrupted after {} of {} models", n, found.asked.size()));
  const auto n_failed = std::ranges::count_if(found.models, &recsys::model_result::has_failed);
  return n_failed == 0 ? 0 : complain(recsys::exit_failed, fmt::format("{} of {} models failed", n_failed, n));
}

int run(const recsys::evaluate_settings& asked, const std::stop_token& stop) {
  recsys::evaluation found;
  found.data =
      asked.common.ratings.empty() ? fmt::format("generated data, seed {}", asked.common.seed) : asked.common.ratings;
  found.holdout = asked.holdout;
  found.options = asked.options;
  found.asked = recsys::choices_of(asked);
  output_files files(asked);
  auto [trained, test] = divide(asked, found);
  try {
    recsys::evaluate_models({.workers = recsys::invoker_options_of(asked.common, stop)}, trained, test, found);
  } catch (const lk::parallel::cancelled&) { // what is finished is written
  }
  return end_with(found, files);
}

/// Runs what was asked for and turns every way to fail into a sentence and an exit code.
int run_and_report(const recsys::evaluate_settings& asked) {
  try {
    recsys::check_settings(asked);
    lk::parallel::initialize({.processes = asked.common.jobs});
    return run(asked, lk::parallel::stop_on_signals());
  } catch (const lk::parallel::config_error& e) {
    return complain(recsys::exit_not_usable, e.what());
  } catch (const recsys::input_error& e) {
    return complain(recsys::exit_not_usable, e.what());
  } catch (const std::invalid_argument& e) {
    return complain(recsys::exit_not_usable, e.what());
  } catch (const std::bad_alloc&) {
    return complain(recsys::exit_failed, "out of memory");
  } catch (const std::exception& e) {
    return complain(recsys::exit_failed, e.what());
  }
}

} // namespace

int main(int argc, char** argv) {
  recsys::evaluate_settings asked;
  CLI::App app("Holds back ratings of each user, trains models on the rest, and measures their lists and predictions.",
               "evaluate");
  recsys::add_options(app, asked);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : recsys::exit_not_usable;
  }
  asked.holdout.seed = asked.options.seed = asked.common.seed;
  recsys::prepare_process("evaluate");
  return run_and_report(asked);
}
