// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <variant>

#include <lk/parallel/progress.hpp>

#include <recsys/als.hpp>
#include <recsys/biased_als.hpp>
#include <recsys/interactions.hpp>
#include <recsys/item_knn.hpp>
#include <recsys/popularity.hpp>
#include <recsys/user_profile.hpp>

// All models behind one type, so that a program has one invoker whatever it was asked to train. A model that is added
// here (an algorithm, its options, a member of the variant, a line of train) is there for all programs.

namespace recsys {

enum class algorithm { als_implicit, als_explicit, popular, item_knn };

inline const std::map<std::string, algorithm>& algorithm_names() {
  static const std::map<std::string, algorithm> names{
      {"als-implicit", algorithm::als_implicit},
      {"als-explicit", algorithm::als_explicit},
      {"popular", algorithm::popular},
      {"item-knn", algorithm::item_knn},
  };
  return names;
}

inline std::string name_of(algorithm kind) {
  for (const auto& [name, one] : algorithm_names())
    if (one == kind) return name;
  return "unknown";
}

/// What to train. Only the options of that algorithm are looked at.
struct model_options {
  algorithm kind = algorithm::als_implicit;
  als_options als = {};
  item_knn_options knn = {};
};

using trained_model = std::variant<als_model, biased_als_model, popularity_model, item_knn_model>;

/// A trained model together with what it was trained on.
struct recommender {
  trained_model model;
  interactions data;
};

/// A model that scores every item at once ...
template <class Model>
concept scores_all = requires(const Model& model, const user_profile& of, Eigen::VectorXf& scores) {
  model.score_all(of, scores);
};
/// ... or one item after the other; NaN: it has no score for this one.
template <class Model>
concept scores_each = requires(const Model& model, const user_profile& of, std::uint32_t item) {
  { model.score(of, item) } -> std::same_as<float>;
};
/// A model that knows how many stars a user will give; NaN: not for this one.
template <class Model>
concept predicts_ratings = requires(const Model& model, const user_profile& of, std::uint32_t item) {
  { model.predict(of, item) } -> std::same_as<double>;
};

/// Whether a model of this kind predicts ratings.
inline bool predicts(algorithm kind) { return kind == algorithm::als_explicit || kind == algorithm::item_knn; }

/// How far `train` moves its progress.
struct training_size {
  std::size_t total;
  std::string unit;
};

inline training_size size_of_training(const interactions& data, const model_options& options) {
  if (options.kind == algorithm::item_knn || options.kind == algorithm::popular) return {data.by_item.size(), "items"};
  return {(data.by_user.size() + data.by_item.size()) * static_cast<std::size_t>(options.als.epochs), "rows"};
}

/// Throws: lk::parallel::cancelled when stop is requested; std::invalid_argument for options that make no model.
inline trained_model train(const interactions& data, const model_options& options, const std::stop_token& stop = {},
                           const std::shared_ptr<lk::parallel::Progress>& progress = {}) {
  switch (options.kind) {
  case algorithm::als_explicit:
    return train_biased_als(data, options.als, stop, progress);
  case algorithm::popular:
    return train_popularity(data, stop, progress);
  case algorithm::item_knn:
    return train_item_knn(data, options.knn, stop, progress);
  case algorithm::als_implicit:
    break;
  }
  return train_als(data, options.als, stop, progress);
}

static_assert(scores_all<als_model> && scores_all<biased_als_model>);
static_assert(scores_each<popularity_model> && scores_each<item_knn_model>);
static_assert(predicts_ratings<biased_als_model> && predicts_ratings<item_knn_model>);
static_assert(!predicts_ratings<als_model> && !predicts_ratings<popularity_model>);

} // namespace recsys
