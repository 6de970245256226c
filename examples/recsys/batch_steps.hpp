// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <stop_token>
#include <string>
#include <vector>

#include <lk/parallel/invoker_options.hpp>
#include <lk/parallel/progress.hpp>

#include <recsys/bad_rows.hpp>
#include <recsys/generator.hpp>
#include <recsys/interactions.hpp>
#include <recsys/ratings_reader.hpp>
#include <recsys/ratings_writer.hpp>
#include <recsys/recommender.hpp>
#include <recsys/settings.hpp>

// The steps of batch programs before their tasks: get ratings, train, and say how the tasks are to run.

namespace recsys {

/// From the file or the generator. Throws: input_error, std::system_error.
inline std::vector<rating> get_ratings(const settings& asked, bad_rows& bad) {
  if (!asked.ratings.empty()) return read_ratings(asked.ratings, bad);
  std::vector<rating> ratings = generate_ratings(asked.shape, asked.seed);
  if (!asked.save_ratings.empty()) write_ratings(asked.save_ratings, ratings);
  return ratings;
}

/// Throws: as train.
inline trained_model train_with_progress(const std::string& program, const interactions& data,
                                         const model_options& options, const std::stop_token& stop) {
  const training_size size = size_of_training(data, options);
  const auto progress = lk::parallel::invoke_progress(program, "training", size.total, size.unit);
  return train(data, options, stop, progress);
}

inline lk::parallel::invoker_options invoker_options_of(const settings& asked, const std::stop_token& stop) {
  lk::parallel::invoker_options options;
  options.n_jobs = asked.jobs;
  options.where = asked.where;
  options.seed = asked.seed;
  options.stop = stop;
  return options;
}

} // namespace recsys
