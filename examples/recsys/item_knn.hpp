// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <vector>

#include <lk/parallel/errors.hpp>
#include <lk/parallel/for_chunks.hpp>

#include <recsys/interactions.hpp>
#include <recsys/user_profile.hpp>

// Item-item k nearest neighbours for explicit ratings: Deshpande and Karypis, "Item-based top-N recommendation
// algorithms", TOIS 2004, https://doi.org/10.1145/963770.963776, in the form of LensKit's ItemKNNScorer. Items are
// alike as far as users rate them alike around their means; a rating is predicted from the user's ratings of alike
// items. All sums are of doubles and each row is made by one thread: the model is the same bits for any number of
// threads.

namespace recsys {

struct item_knn_options {
  std::size_t k = 20;           ///< a prediction is made from at most so many neighbours
  std::size_t min_nbrs = 1;     ///< and from at least so many, else there is none
  double min_similarity = 1e-6; ///< less similar items are no neighbours; positive
  std::size_t save_nbrs = 0;    ///< most neighbours kept of an item; 0: all
};

struct neighbour {
  std::uint32_t item;
  double similarity;
};

/// Most similar first; of equally similar ones the lower item first.
inline bool nearer(const neighbour& a, const neighbour& b) {
  return a.similarity != b.similarity ? a.similarity > b.similarity : a.item < b.item;
}

class item_knn_model {
 public:
  item_knn_options options;
  std::vector<double> means;             ///< of each item's ratings
  std::vector<std::size_t> begins = {0}; ///< where the neighbours of each item begin, and the end of the last
  std::vector<std::uint32_t> nbrs;       ///< nearest first
  std::vector<double> similarities;      ///< of each of nbrs

  /// The item's mean, and how the user's ratings of the k nearest items that are rated deviate from their means,
  /// weighted by similarity. NaN where fewer than min_nbrs are rated. Units: stars, not cut off at the ends.
  double predict(const user_profile& of, std::uint32_t item) const {
    const sums all = sum_up(of, item);
    return all.n < std::max<std::size_t>(options.min_nbrs, 1) ? no_score : means[item] + all.deviations / all.weights;
  }
  /// For lists: the sum of the similarities of the same neighbours, as LensKit ranks with implicit feedback. Ranking by
  /// predicted ratings would put items first of which hardly anything is known.
  float score(const user_profile& of, std::uint32_t item) const {
    const sums all = sum_up(of, item);
    return static_cast<float>(all.n < std::max<std::size_t>(options.min_nbrs, 1) ? no_score : all.weights);
  }

 private:
  struct sums {
    std::size_t n = 0;
    double deviations = 0, weights = 0;
  };

  sums sum_up(const user_profile& of, std::uint32_t item) const {
    sums all;
    for (std::size_t at = begins[item]; at < begins[item + 1] && all.n < options.k; ++at) {
      const float rating = of.rating_of(nbrs[at]);
      if (std::isnan(rating)) continue;
      ++all.n;
      all.deviations += similarities[at] * (double{rating} - means[nbrs[at]]);
      all.weights += similarities[at]; // all are positive
    }
    return all;
  }
};

/// Items whose ratings are their means' deviations, each row of length 1. Rows without any deviation are zero.
struct unit_items {
  std::vector<double> means;
  std::vector<double> by_user, by_item; ///< beside the columns of the interactions
};

inline unit_items centre_and_normalise(const interactions& data) {
  unit_items made;
  const sparse_rows& rows = data.by_item;
  made.by_item.reserve(rows.values.size());
  for (std::size_t item = 0; item < rows.size(); ++item) {
    const std::span<const float> ratings = rows.values_of(item);
    const double mean = std::accumulate(ratings.begin(), ratings.end(), 0.0) / static_cast<double>(ratings.size());
    double square = 0;
    for (const float rating : ratings) square += (double{rating} - mean) * (double{rating} - mean);
    const double length = std::sqrt(square);
    for (const float rating : ratings) made.by_item.push_back(length > 1e-12 ? (double{rating} - mean) / length : 0);
    made.means.push_back(mean);
  }
  made.by_user.resize(made.by_item.size());
  std::vector<std::size_t> next(data.by_user.begins.begin(), data.by_user.begins.end() - 1);
  for (std::size_t item = 0; item < rows.size(); ++item)
    for (std::size_t at = rows.begins[item]; at < rows.begins[item + 1]; ++at)
      made.by_user[next[rows.columns[at]]++] = made.by_item[at];
  return made;
}

/// To 33 bits, so that similarities that are equal but for the rounding of their sums are equal.
inline double rounded(double similarity) {
  int exponent = 0;
  const double part = std::frexp(similarity, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(part, 33)), exponent - 33);
}

/// Finds the neighbours of one item after the other; keeps its scratch memory from item to item.
class neighbour_finder {
 public:
  /// Lifetime: refers to data, units and options.
  neighbour_finder(const interactions& data, const unit_items& units, const item_knn_options& options)
      : data_(data)
      , units_(units)
      , options_(options)
      , sums_(data.item_ids.size(), 0.0) {}

  std::vector<neighbour> operator()(std::size_t item) {
    const sparse_rows& users = data_.by_item;
    for (std::size_t at = users.begins[item]; at < users.begins[item + 1]; ++at)
      add_ratings_of(users.columns[at], units_.by_item[at]);

    std::vector<neighbour> found;
    for (const std::uint32_t other : touched_) {
      if (other != item && sums_[other] >= options_.min_similarity) found.push_back({other, rounded(sums_[other])});
      sums_[other] = 0;
    }
    touched_.clear();
    std::sort(found.begin(), found.end(), nearer);
    if (options_.save_nbrs > 0 && found.size() > options_.save_nbrs) found.resize(options_.save_nbrs);
    return found;
  }

 private:
  void add_ratings_of(std::uint32_t user, double weight) {
    if (weight == 0) return;
    const sparse_rows& items = data_.by_user;
    for (std::size_t at = items.begins[user]; at < items.begins[user + 1]; ++at) {
      double& sum = sums_[items.columns[at]];
      if (sum == 0) touched_.push_back(items.columns[at]); // one that came back to zero is there twice: harmless
      sum += weight * units_.by_user[at];
    }
  }

  const interactions& data_;
  const unit_items& units_;
  const item_knn_options& options_;
  std::vector<double> sums_; ///< zero between items
  std::vector<std::uint32_t> touched_;
};

/// Throws: lk::parallel::cancelled when stop is requested; std::invalid_argument for a similarity that is not positive.
inline item_knn_model train_item_knn(const interactions& data, const item_knn_options& options,
                                     const std::stop_token& stop = {},
                                     const std::shared_ptr<lk::parallel::Progress>& progress = {}) {
  if (!(options.min_similarity > 0)) throw std::invalid_argument("the least similarity of neighbours must be above 0");
  const unit_items units = centre_and_normalise(data);
  const std::size_t n_items = data.by_item.size();
  std::vector<std::vector<neighbour>> found(n_items);
  const auto find_some = [&](lk::parallel::chunk part) {
    neighbour_finder find(data, units, options);
    for (std::size_t item = part.begin; item < part.end; ++item) {
      if (stop.stop_requested()) throw lk::parallel::cancelled();
      found[item] = find(item);
    }
  };
  lk::parallel::for_chunks(lk::parallel::WorkChunks::create(n_items), find_some, progress);

  item_knn_model model;
  model.options = options;
  model.means = units.means;
  for (std::vector<neighbour>& of_item : found) {
    for (const neighbour& one : of_item) {
      model.nbrs.push_back(one.item);
      model.similarities.push_back(one.similarity);
    }
    model.begins.push_back(model.nbrs.size());
    std::vector<neighbour>().swap(of_item);
  }
  return model;
}

} // namespace recsys
