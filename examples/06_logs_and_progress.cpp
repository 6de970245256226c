// lk-parallel | SPDX-License-Identifier: MIT

#include <chrono>
#include <cstddef>
#include <memory>
#include <ranges>
#include <thread>
#include <vector>

#include <lk/parallel.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

// Logs and progress of worker processes; the guide pages about them show its marked lines.

namespace {

struct popularity_model {
  std::vector<double> scores;
};

/// Stands for work that takes its time.
void think() { std::this_thread::sleep_for(std::chrono::milliseconds(30)); }

} // namespace

int main() {
  lk::parallel::initialize({.processes = 2});
  const popularity_model model{std::vector<double>(1000, 0.5)};

  //! [logs]
  const auto log = spdlog::stdout_color_mt("scoring");
  log->set_pattern("[%n] [%l] [thread %t] %v");

  const auto score = [log](const popularity_model& m, std::size_t user, lk::parallel::task_context& task) {
    think();
    if (user % 16 == 3) log->warn("user {} has rated nothing ({})", user, task.tag());
    return m.scores[user % m.scores.size()];
  };
  //! [logs]

  //! [progress]
  const std::size_t n_users = 64;
  const auto progress = lk::parallel::invoke_progress("scoring", "scoring", n_users, "users");
  lk::parallel::invoker inv{model, score, {.progress = progress}};
  double sum = 0;
  for (const double top : inv.map(std::views::iota(std::size_t{0}, n_users))) {
    sum += top;
    progress->set_metric("mean score", sum / static_cast<double>(n_users));
  }
  progress->finish();
  //! [progress]
  log->info("sum of all scores: {}", sum);

  //! [nested progress]
  const auto epochs = lk::parallel::make_progress("training", "training", 4 * 8, "epochs");
  const auto train = [&epochs](const popularity_model&, int seed) {
    for (int epoch = 0; epoch < 8; ++epoch) {
      think();
      epochs->update(); // a worker moves the bar of the host
    }
    return seed;
  };
  lk::parallel::invoker models{model, train, {.n_jobs = 2}};
  for (const int seed : models.map(std::views::iota(1, 5))) log->info("model with seed {} is trained", seed);
  epochs->finish();
  //! [nested progress]
}
