// lk-parallel | SPDX-License-Identifier: MIT

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <future>
#include <iostream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <lk/parallel.hpp>

// An invoker inside a service that has threads of its own: any thread may ask, one thread owns the invoker.
// docs/guide/services.md shows the marked lines and says what is safe.

namespace {

struct popularity_model {
  std::vector<float> scores; ///< by item number
};
using request = std::vector<std::uint32_t>; ///< the items that a user has seen, in ascending order
using answer = std::uint32_t;               ///< an item

/// The most popular item that the user has not seen. Takes no lock of the service, since a lock that another thread
/// held at the fork would stay locked in the worker.
answer best_unseen(const popularity_model& model, const request& seen) {
  std::vector<float> scores = model.scores;
  for (const std::uint32_t item : seen) {
    if (item >= scores.size()) throw std::invalid_argument("there is no item " + std::to_string(item));
    scores[item] = -1;
  }
  return static_cast<answer>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

class recommender_service {
 public:
  //! [any thread]
  explicit recommender_service(popularity_model model)
      : workers_(make_workers(std::move(model))) // before there are threads of the service
      , dispatcher_([this](std::stop_token stop) { serve(stop); }) {}

  /// Threads: any, also at the same time.
  std::future<answer> ask(request seen) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(seen), {}});
    changed_.notify_one();
    return waiting_.back().reply.get_future();
  }

  /// Requests that are made from now on are answered by this model. Threads: any. Throws: resource_error where the new
  /// workers cannot be made; the old ones go on then.
  void replace_model(popularity_model model) {
    workers fresh = make_workers(std::move(model)); // not under the lock: it takes as long as a fork
    const std::lock_guard lock(mutex_);
    next_workers_ = std::move(fresh);
    changed_.notify_one();
  }
  //! [any thread]

 private:
  struct pending {
    request seen;
    std::promise<answer> reply;
  };
  using workers = lk::parallel::ModelOpInvoker<request, answer>;

  static workers make_workers(popularity_model model) {
    return lk::parallel::invoker{std::move(model), best_unseen, {.n_jobs = 2}};
  }

  //! [dispatcher]
  /// The dispatcher, the only thread that touches workers_: answers whatever has come in meanwhile by one map.
  void serve(const std::stop_token& stop) {
    while (true) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [this] { return next_workers_ || !waiting_.empty(); });
      std::optional<workers> fresh = std::exchange(next_workers_, std::nullopt);
      std::vector<pending> batch = std::exchange(waiting_, {});
      lock.unlock(); // not held while workers are at work, or end
      if (fresh) workers_ = std::move(*fresh);
      if (batch.empty() && stop.stop_requested()) return;
      answer_all(batch);
    }
  }

  /// Whatever happens, every request gets an answer or an error.
  void answer_all(std::vector<pending>& batch) {
    std::vector<request> requests;
    for (pending& each : batch) requests.push_back(std::move(each.seen));
    auto next = batch.begin();
    try {
      for (const auto& found : workers_.map_outcomes(requests)) {
        std::promise<answer>& reply = next++->reply;
        if (found)
          reply.set_value(found.value());
        else
          reply.set_exception(found.exception()); // of this request; the others are not concerned
      }
    } catch (const lk::parallel::error&) { // of the workers as a whole
      for (; next != batch.end(); ++next) next->reply.set_exception(std::current_exception());
    }
  }
  //! [dispatcher]

  std::mutex mutex_; // guards waiting_ and next_workers_
  std::condition_variable_any changed_;
  std::vector<pending> waiting_;
  std::optional<workers> next_workers_;
  workers workers_;         // the dispatcher's
  std::jthread dispatcher_; // last: it ends before what it uses
};

/// What a thread that answers a connection does.
std::string serve_client(recommender_service& service, const request& seen) {
  try {
    return "item " + std::to_string(service.ask(seen).get());
  } catch (const lk::parallel::task_error& refused) {
    return refused.message;
  }
}

} // namespace

int main() {
  recommender_service service({{0.3f, 0.9f, 0.5f}});
  const std::vector<request> requests{{}, {1}, {1, 2}, {9}};

  std::vector<std::future<std::string>> clients;
  for (const request& seen : requests)
    clients.push_back(std::async(std::launch::async, [&] { return serve_client(service, seen); }));
  for (auto& client : clients) std::cout << client.get() << '\n';

  service.replace_model({{0.8f, 0.1f, 0.2f}});
  std::cout << "with the new model: " << serve_client(service, {}) << '\n';
}
