// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <ranges>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include <lk/parallel/errors.hpp>
#include <lk/parallel/invoker.hpp>
#include <lk/parallel/progress.hpp>

#include <recsys/evaluation_results.hpp>
#include <recsys/model_choices.hpp>
#include <recsys/scorer.hpp>
#include <recsys/stopwatch.hpp>
#include <recsys/top_n.hpp>

// Trains one model after the other in this process and lets the workers of an invoker judge each of them: the way to
// evaluate fifty models without fifty processes that read the data anew. A model that fails is a row that says so.

namespace recsys {

/// Sees the host's objects in every worker. Lifetime: refers to both.
struct examination {
  const recommender& trained;
  std::span<const test_user> test;
};

/// The operation that is applied to every tested user: what the model would have said is held against the test ratings.
/// The invoker gives each worker its own copy, whose members are that worker's scratch memory.
class judge_user {
 public:
  judge_user(const evaluation_options& options, bool predicts)
      : k_(options.k)
      , min_relevant_(options.min_relevant)
      , predicts_(predicts)
      , best_items_(options.k) {}

  user_scores operator()(const examination& of, std::size_t place) {
    const test_user& user = of.test[place];
    list_.clear();
    for (const scored_item& one : best_items_(of.trained, user.user)) list_.push_back(one.item);
    relevant_.clear();
    for (const test_rating& one : user.ratings)
      if (double{one.value} >= min_relevant_) relevant_.push_back(one.item); // an unknown item can only be missed
    std::sort(relevant_.begin(), relevant_.end());
    return scores_of({list_, relevant_, k_}, predicts_ ? errors_of(of, user) : no_predictions(user));
  }

 private:
  prediction_errors errors_of(const examination& of, const test_user& user) {
    items_.clear();
    for (const test_rating& one : user.ratings)
      if (one.item != unknown_item) items_.push_back(one.item);
    const std::vector<double> predictions = scorer_.predict(of.trained, user.user, items_);
    prediction_errors errors;
    auto next = predictions.begin();
    for (const test_rating& one : user.ratings)
      errors.add(one.item != unknown_item ? *next++ : undefined, double{one.value});
    return errors;
  }

  static prediction_errors no_predictions(const test_user& user) { return {.n_asked = user.ratings.size()}; }

  std::size_t k_;
  double min_relevant_;
  bool predicts_;
  top_n best_items_;
  scorer scorer_;
  std::vector<std::uint32_t> list_, relevant_, items_;
};

using train_function = std::function<trained_model(const interactions&, const model_options&, const std::stop_token&,
                                                   const std::shared_ptr<lk::parallel::Progress>&)>;

/// How an evaluation is run; no result depends on it.
struct evaluation_run {
  lk::parallel::invoker_options workers = {}; ///< jobs, place and stop; seed and progress are set here
  train_function train = recsys::train;
};

/// Shows the work on one model as a number beside the bar of all models.
class part_of_bar : public lk::parallel::Progress {
 public:
  part_of_bar(std::shared_ptr<lk::parallel::Progress> bar, std::string label, std::size_t total)
      : Progress(std::move(label), total, "")
      , bar_(std::move(bar)) {}
  ~part_of_bar() override { finish(); }

 protected:
  void show(const lk::parallel::progress_snapshot& now) override {
    bar_->set_metric(now.label, now.fraction().value_or(0));
  }

 private:
  std::shared_ptr<lk::parallel::Progress> bar_;
};

class model_evaluator {
 public:
  /// Lifetime: refers to all of them. The data of trained stay, its model is replaced.
  model_evaluator(const evaluation_run& run, const evaluation_options& options, recommender& trained,
                  std::span<const test_user> test, std::shared_ptr<lk::parallel::Progress> bar)
      : run_(run)
      , options_(options)
      , trained_(trained)
      , test_(test)
      , bar_(std::move(bar)) {}

  /// Blocks: until the model is trained and judged, or has failed.
  /// Throws: lk::parallel::cancelled when stop is requested, and nothing else.
  model_result operator()(const model_choice& choice) {
    model_result made{choice, "", {}, {}, {}, {}};
    try {
      train(made);
      const std::vector<user_scores> users = judge_users(made);
      made.values = values_of(users);
      find_intervals(users, made);
    } catch (const lk::parallel::cancelled&) {
      throw;
    } catch (const std::bad_alloc&) {
      made.failure = "out of memory";
    } catch (const std::exception& e) {
      made.failure = e.what();
    }
    return made;
  }

 private:
  void train(model_result& made) {
    stopwatch watch;
    const model_options options = options_of(made.model, options_.seed);
    trained_.model = {}; // before the next one needs the memory
    const auto progress =
        std::make_shared<part_of_bar>(bar_, "training", size_of_training(trained_.data, options).total);
    trained_.model = run_.train(trained_.data, options, run_.workers.stop, progress);
    made.times.training = watch.lap();
  }

  lk::parallel::invoker_options workers(std::shared_ptr<lk::parallel::Progress> progress = {}) const {
    lk::parallel::invoker_options options = run_.workers;
    options.seed = options_.seed;
    options.progress = std::move(progress);
    return options;
  }

  std::vector<user_scores> judge_users(model_result& made) {
    const examination exam{trained_, test_};
    const judge_user judge(options_, predicts(algorithm_names().at(made.model.algorithm)));
    const auto progress = std::make_shared<part_of_bar>(bar_, "scoring", test_.size());
    std::vector<user_scores> users;
    users.reserve(test_.size());
    //! [one invoker for each model]
    stopwatch watch;
    lk::parallel::invoker inv{exam, judge, workers(progress)}; // forks workers that see this model, without a copy
    made.times.starting = watch.lap();
    for (const user_scores& one : inv.map(std::views::iota(std::size_t{0}, test_.size()))) users.push_back(one);
    made.times.scoring = watch.lap();
    inv.shutdown(); // here only to be timed: the destructor does the same
    made.times.stopping = watch.lap();
    //! [one invoker for each model]
    return users;
  }

  void find_intervals(const std::vector<user_scores>& users, model_result& made) const {
    stopwatch watch;
    //! [the same replicates for any number of workers]
    const auto replicate = [](const std::vector<user_scores>& all, std::size_t, lk::parallel::task_context& task) {
      return resampled_values(all, task.rng()); // this replicate's own random numbers, whoever computes it
    };
    lk::parallel::invoker inv{users, replicate, workers()};
    for (const metric_values& one : inv.map(std::views::iota(std::size_t{0}, options_.n_replicates)))
      made.replicates.push_back(one);
    //! [the same replicates for any number of workers]
    std::vector<double> of_metric(made.replicates.size());
    for (std::size_t m = 0; m < n_metrics; ++m) {
      std::ranges::transform(made.replicates, of_metric.begin(), [&](const metric_values& one) { return one[m]; });
      made.intervals[m] = percentile_interval(of_metric, options_.confidence);
    }
    made.times.intervals = watch.lap();
  }

  const evaluation_run& run_;
  const evaluation_options& options_;
  recommender& trained_;
  std::span<const test_user> test_;
  std::shared_ptr<lk::parallel::Progress> bar_;
};

/// Evaluates what `to` asks for; each model is there as soon as it is judged.
/// Throws: lk::parallel::cancelled when stop is requested; `to` holds the models until then.
inline void evaluate_models(const evaluation_run& run, recommender& trained, std::span<const test_user> test,
                            evaluation& to) {
  const auto bar = lk::parallel::invoke_progress("evaluate", "evaluating", to.asked.size(), "models");
  model_evaluator evaluate(run, to.options, trained, test, bar);
  for (const model_choice& choice : to.asked) {
    bar->set_label(label_of(choice));
    to.models.push_back(evaluate(choice));
    if (to.models.back().has_failed()) spdlog::error("{} failed: {}", label_of(choice), to.models.back().failure);
    bar->update(1, to.models.back().has_failed() ? lk::parallel::Progress::state::failed
                                                 : lk::parallel::Progress::state::finished);
  }
  bar->set_label("evaluating");
  bar->finish();
}

} // namespace recsys
