// lk-parallel | SPDX-License-Identifier: MIT

#include <cmath>
#include <cstddef>
#include <functional>
#include <iostream>
#include <vector>

#include <lk/parallel/for_chunks.hpp>
#include <lk/parallel/initialize.hpp>

// A training loop on the training arena: each epoch updates the users in chunks and adds up the error in chunk order.
// docs/guide/training.md shows the marked lines.

namespace {

struct rating {
  std::size_t item;
  double value;
};
using ratings_by_user = std::vector<std::vector<rating>>;

/// Ratings that are the sum of a user's and an item's own part, and of a remainder that no such sum explains.
ratings_by_user make_ratings(std::size_t n_users, std::size_t n_items) {
  ratings_by_user ratings(n_users);
  for (std::size_t user = 0; user < n_users; ++user)
    for (std::size_t item = user % 2; item < n_items; item += 1 + user % 5)
      ratings[user].push_back({item, static_cast<double>(user % 3 + item % 2) + static_cast<double>(item % 5) / 10});
  return ratings;
}

//! [model]
/// Predicts a rating as bias of the user plus bias of the item.
struct bias_model {
  std::vector<double> users, items;

  double error(std::size_t user, const rating& given) const { return given.value - users[user] - items[given.item]; }
};
//! [model]

//! [parallel loop]
/// Moves the bias of every user to the mean of what the items leave unexplained. Each chunk writes its own users only.
void fit_users(bias_model& model, const ratings_by_user& ratings, const lk::parallel::WorkChunks& chunks) {
  lk::parallel::for_chunks(chunks, [&](lk::parallel::chunk users) {
    for (std::size_t user = users.begin; user < users.end; ++user) {
      double sum = 0;
      for (const rating& given : ratings[user]) sum += model.error(user, given);
      model.users[user] += sum / static_cast<double>(ratings[user].size());
    }
  });
}
//! [parallel loop]

//! [ordered sum]
/// The sum of the squared errors: the same bits for any number of threads, because chunks are added up in order.
double squared_error(const bias_model& model, const ratings_by_user& ratings, const lk::parallel::WorkChunks& chunks) {
  const auto of_chunk = [&](lk::parallel::chunk users) {
    double sum = 0;
    for (std::size_t user = users.begin; user < users.end; ++user)
      for (const rating& given : ratings[user]) sum += std::pow(model.error(user, given), 2);
    return sum;
  };
  return lk::parallel::reduce_chunks(chunks, 0.0, of_chunk, std::plus<>());
}
//! [ordered sum]

//! [scattered sum]
/// The same for the items, whose ratings lie scattered over all users: every chunk adds up sums of its own, which are
/// added up in order.
void fit_items(bias_model& model, const ratings_by_user& ratings, const lk::parallel::WorkChunks& chunks) {
  struct sums {
    std::vector<double> errors, counts;
  };
  const std::size_t n_items = model.items.size();
  const auto of_chunk = [&](lk::parallel::chunk users) {
    sums own{std::vector<double>(n_items), std::vector<double>(n_items)};
    for (std::size_t user = users.begin; user < users.end; ++user) {
      for (const rating& given : ratings[user]) {
        own.errors[given.item] += model.error(user, given);
        own.counts[given.item] += 1;
      }
    }
    return own;
  };
  const auto add = [](sums total, const sums& own) {
    for (std::size_t item = 0; item < own.counts.size(); ++item) {
      total.errors[item] += own.errors[item];
      total.counts[item] += own.counts[item];
    }
    return total;
  };
  const sums all = lk::parallel::reduce_chunks(chunks, sums{std::vector<double>(n_items), std::vector<double>(n_items)},
                                               of_chunk, add);
  for (std::size_t item = 0; item < n_items; ++item) model.items[item] += all.errors[item] / all.counts[item];
}
//! [scattered sum]

} // namespace

int main() {
  lk::parallel::initialize({.threads = 2});
  const std::size_t n_users = 5000, n_items = 70;
  const ratings_by_user ratings = make_ratings(n_users, n_items);

  //! [epochs]
  const auto chunks = lk::parallel::WorkChunks::create(n_users); // 50 chunks of 100 users
  bias_model model{std::vector<double>(n_users), std::vector<double>(n_items)};
  for (int epoch = 1; epoch <= 3; ++epoch) {
    fit_users(model, ratings, chunks);
    fit_items(model, ratings, chunks);
    std::cout << "epoch " << epoch << ": squared error " << std::lround(squared_error(model, ratings, chunks)) << '\n';
  }
  //! [epochs]
}
