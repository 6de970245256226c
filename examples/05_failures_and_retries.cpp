// lk-parallel | SPDX-License-Identifier: MIT

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <stop_token>
#include <vector>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <lk/parallel.hpp>

// What a program sees of tasks that throw, crash, hang or are cancelled. docs/guide/errors.md shows the marked lines.

using namespace std::chrono_literals;
namespace parallel = lk::parallel;

using ratings_by_user = std::vector<std::vector<double>>;

//! [function]
/// The mean rating of a user. Some users are trouble.
double mean_rating(const ratings_by_user& model, std::size_t user) {
  const std::vector<double>& ratings = model[user];
  if (ratings.empty()) throw std::domain_error("no ratings");
  if (ratings.front() < 0) std::abort(); // deep inside some library, say
  while (ratings.front() > 5) ::pause(); // an answer of some server, say, that never comes
  return std::accumulate(ratings.begin(), ratings.end(), 0.0) / static_cast<double>(ratings.size());
}
//! [function]

//! [outcomes]
void print_all(auto& inv, std::size_t n_users) {
  std::size_t user = 0;
  for (const auto& mean : inv.map_outcomes(std::views::iota(std::size_t{0}, n_users))) {
    std::cout << "user " << user++ << ": ";
    try {
      std::cout << mean.value() << '\n'; // throws the error where there is one
    } catch (const parallel::task_error& failed) {
      std::cout << failed.message << '\n';
    } catch (const parallel::task_timeout& late) {
      std::cout << "no end after " << late.limit.count() << " ms\n";
    } catch (const parallel::worker_lost& lost) {
      std::cout << "lost by signal " << lost.code << '\n'; // lost.what() is a sentence with advice
    }
  }
}
//! [outcomes]

void stop_at_first_error(const ratings_by_user& model) {
  //! [map]
  parallel::invoker inv{model, mean_rating, {.n_jobs = 2}};
  try {
    for (const double mean : inv.map(std::vector<std::size_t>{0, 1, 2})) std::cout << mean << '\n';
  } catch (const parallel::task_error& failed) {
    std::cout << "task " << failed.task << " threw " << failed.type_name << ": " << failed.message << '\n';
    try {
      std::rethrow_if_nested(failed);
    } catch (const std::domain_error&) {
      std::cout << "and here is the original\n";
    }
  }
  //! [map]
}

void go_on_after_errors(const ratings_by_user& model) {
  //! [limits]
  parallel::invoker inv{model, mean_rating, {.n_jobs = 2, .task_timeout = 500ms}};
  print_all(inv, model.size());
  //! [limits]
}

void try_again(const ratings_by_user& model) {
  //! [retries]
  const auto fails_at_first = [](const ratings_by_user& users, std::size_t user, parallel::task_context& task) {
    if (task.attempt() == 1) std::raise(SIGKILL); // as the kernel does where memory is short
    return users[user].size();
  };
  parallel::invoker inv{model, fails_at_first, {.n_jobs = 2, .retries = 2}};
  for (const std::size_t n : inv.map(std::vector<std::size_t>{0, 2})) std::cout << n << " ratings\n";
  //! [retries]
}

void cancel(const ratings_by_user& model) {
  //! [stop]
  std::stop_source stop; // or parallel::stop_on_signals(), for Ctrl-C
  parallel::invoker inv{model, mean_rating, {.n_jobs = 2, .stop = stop.get_token()}};
  try {
    const auto endless = std::views::iota(0) | std::views::transform([](int) { return std::size_t{0}; });
    for ([[maybe_unused]] const double mean : inv.map(endless)) stop.request_stop();
  } catch (const parallel::cancelled& end) {
    std::cout << end.what() << '\n';
  }
  //! [stop]
}

int main() {
  spdlog::set_default_logger(spdlog::stderr_color_mt("errors")); // standard output is for results
  const ratings_by_user model{{4, 5}, {}, {3}, {-1}, {9}, {1, 2}};
  stop_at_first_error(model);
  go_on_after_errors(model);
  try_again(model);
  cancel(model);
}
