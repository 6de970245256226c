// lk-parallel | SPDX-License-Identifier: MIT
#include "front/back_ends.hpp"
#include "support/catch.hpp"
#include "support/leak_guard.hpp"
#include "support/ranges.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <lk/parallel.hpp>

using namespace lk::parallel;
using lk::parallel::testing::collect;

namespace {

const std::vector<int> model{10, 20, 30};
constexpr auto add = [](const std::vector<int>& m, int x) { return m[0] + x; };

struct user {
  std::string name;
  std::vector<double> ratings;
  std::optional<int> age;
  friend bool operator==(const user&, const user&) = default;
};

} // namespace

TEST_CASE("results come in the order of the arguments") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, add, which.options()};
  const auto results = collect(inv.map(std::views::iota(0, 5000)));
  REQUIRE(results.size() == 5000);
  for (int i = 0; i < 5000; ++i)
    if (results[static_cast<std::size_t>(i)] != 10 + i) FAIL("result " << i << " is wrong");
}

TEST_CASE("unordered results carry the index of their argument and each comes once") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, add, which.options()};
  std::set<std::size_t> seen;
  for (const auto& [index, value] : inv.map_unordered(std::views::iota(0, 3000))) {
    if (value != 10 + static_cast<int>(index)) FAIL("result " << index << " is wrong");
    seen.insert(index);
  }
  REQUIRE(seen.size() == 3000);
  REQUIRE(*seen.rbegin() == 2999);
}

TEST_CASE("an empty input gives an empty range") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, add, which.options()};
  REQUIRE(collect(inv.map(std::vector<int>{})).empty());
  REQUIRE(collect(inv.map_unordered(std::vector<int>{})).empty());
  REQUIRE(collect(inv.map(std::vector<int>{1})) == std::vector<int>{11});
}

TEST_CASE("an invoker can be used for many maps") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, add, which.options()};
  for (int map = 0; map < 50; ++map)
    REQUIRE(collect(inv.map(std::vector<int>{map, map + 1})) == std::vector<int>{map + 10, map + 11});
}

TEST_CASE("one invoker maps over arguments of several types") {
  FOR_EVERY_BACK_END(which);
  struct describe {
    std::string operator()(const std::vector<int>&, int x) const { return "int " + std::to_string(x); }
    std::string operator()(const std::vector<int>&, const std::string& x) const { return "string " + x; }
  };
  invoker inv{model, describe{}, which.options()};
  REQUIRE(collect(inv.map(std::vector<int>{1})) == std::vector<std::string>{"int 1"});
  REQUIRE(collect(inv.map(std::vector<std::string>{"a"})) == std::vector<std::string>{"string a"});
}

TEST_CASE("an infinite input is read only as far as its results are taken") {
  FOR_EVERY_BACK_END(which);
  int n_read = 0;
  auto endless = std::views::iota(0) | std::views::transform([&](int x) {
                   ++n_read;
                   return x;
                 });
  invoker inv{model, add, which.with({.window = 64})};
  int n = 0;
  for (const int result : inv.map(endless)) {
    if (result != 10 + n) FAIL("result " << n << " is wrong");
    if (++n == 100) break;
  }
  REQUIRE(n == 100);
  REQUIRE(n_read <= 100 + 64);
}

TEST_CASE("a map that nobody reads starts nothing") {
  FOR_EVERY_BACK_END(which);
  int n_read = 0;
  auto counted = std::views::iota(0, 10) | std::views::transform([&](int x) { return ++n_read, x; });
  invoker inv{model, add, which.with({.worker_init = [](int) {}})};
  const testing::leak_guard guard;
  {
    const auto unread = inv.map(counted);
    REQUIRE(guard.difference() == "");
  }
  REQUIRE(n_read == 0);
  REQUIRE(collect(inv.map(counted)).size() == 10);
}

TEST_CASE("an invoker counts the tasks of all its maps") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, add, which.options()};
  for (int map = 0; map < 3; ++map) collect(inv.map(std::views::iota(0, 100)));
  REQUIRE(inv.stats().tasks_finished == 300);
  REQUIRE(inv.stats().workers == which.n_jobs);
}

TEST_CASE("a source that waits for results works with a window of one") {
  FOR_EVERY_BACK_END(which);
  int last = 0;
  auto feedback = std::views::iota(0, 20) | std::views::transform([&](int) { return last; });
  invoker inv{model, [](const std::vector<int>&, int x) { return x + 1; }, which.with({.window = 1})};
  for (const int result : inv.map(feedback)) last = result;
  REQUIRE(last == 20);
}

TEST_CASE("a loop can be left early and the invoker used again") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, add, which.options()};
  for (int round = 0; round < 20; ++round) {
    int n = 0;
    for ([[maybe_unused]] const int result : inv.map(std::views::iota(0, 100'000)))
      if (++n == 3) break;
    REQUIRE(n == 3);
  }
  REQUIRE(collect(inv.map(std::vector<int>{5})) == std::vector<int>{15});
}

TEST_CASE("a loop body may throw and the invoker is usable afterwards") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, add, which.options()};
  REQUIRE_THROWS_AS(
      [&] {
        for (const int result : inv.map(std::views::iota(0, 1000)))
          if (result == 20) throw std::string("enough");
      }(),
      std::string);
  REQUIRE(collect(inv.map(std::vector<int>{5})) == std::vector<int>{15});
}

TEST_CASE("arguments and results of many types arrive as they left") {
  FOR_EVERY_BACK_END(which);
  const auto round_trip = [&](auto value) {
    using value_type = decltype(value);
    invoker inv{model, [](const std::vector<int>&, value_type x) { return x; }, which.options()};
    REQUIRE(collect(inv.map(std::vector<value_type>{value, value})) == std::vector<value_type>{value, value});
  };
  round_trip(std::string("hällo"));
  round_trip(std::vector<std::string>{"a", "", "c"});
  round_trip(std::pair<int, double>{1, 2.5});
  round_trip(std::optional<std::string>{});
  round_trip(std::variant<int, std::string>{"x"});
  round_trip(std::map<std::string, std::vector<int>>{{"k", {1, 2}}});
  round_trip(user{"anna", {1.5, 2.5}, 30});
}

TEST_CASE("arguments and results that can only be moved are moved") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, [](const std::vector<int>&, std::unique_ptr<int> x) { return std::make_unique<int>(*x + 1); },
              which.options()};
  std::vector<std::unique_ptr<int>> arguments;
  for (int i = 0; i < 10; ++i) arguments.push_back(std::make_unique<int>(i));
  int n = 0;
  for (auto& result : inv.map(arguments | std::views::transform([](auto& x) { return std::move(x); })))
    REQUIRE(*result == ++n);
  REQUIRE(n == 10);
}

TEST_CASE("views travel as whole arguments") {
  FOR_EVERY_BACK_END(which);
  invoker length{model, [](const std::vector<int>&, std::string_view text) { return text.size(); }, which.options()};
  REQUIRE(collect(length.map(std::vector<std::string_view>{"a", "", "ccc"})) == std::vector<std::size_t>{1, 0, 3});
  const std::vector<double> numbers{1, 2, 3};
  invoker sum{
      model,
      [](const std::vector<int>&, std::span<const double> x) { return std::accumulate(x.begin(), x.end(), 0.0); },
      which.options()};
  REQUIRE(collect(sum.map(std::vector<std::span<const double>>{numbers})) == std::vector<double>{6});
}

TEST_CASE("results of any size arrive whole") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, [](const std::vector<int>&, std::size_t n) { return std::vector<char>(n, 'x'); }, which.options()};
  const std::vector<std::size_t> sizes{0, 1, (1u << 20) - 17, (1u << 20) - 16, 1u << 20, (1u << 20) + 1, 10u << 20, 3};
  std::size_t i = 0;
  for (const auto& result : inv.map(sizes)) {
    REQUIRE(result.size() == sizes[i++]);
    REQUIRE(std::all_of(result.begin(), result.end(), [](char c) { return c == 'x'; }));
  }
  REQUIRE(i == sizes.size());
}

TEST_CASE("arguments of any size arrive whole") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model,
              [](const std::vector<int>&, const std::string& text) {
                return std::all_of(text.begin(), text.end(), [](char c) { return c == 'y'; }) ? text.size() : 0;
              },
              which.options()};
  const std::vector<std::size_t> sizes{5, 256 << 10, (128 << 10) - 24, (128 << 10) - 16, 5u << 20, 1, 300 << 10, 2};
  const auto results =
      collect(inv.map(sizes | std::views::transform([](std::size_t n) { return std::string(n, 'y'); })));
  REQUIRE(results == sizes);
}

TEST_CASE("a function that returns nothing runs once for every argument") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, [](const std::vector<int>&, int) {}, which.options()};
  int n = 0;
  for ([[maybe_unused]] const std::monostate nothing : inv.map(std::views::iota(0, 100))) ++n;
  REQUIRE(n == 100);
}

TEST_CASE("random numbers and indices are the same for every back end and number of workers") {
  const auto run = [](const testing::back_end& which, std::uint64_t seed) {
    invoker inv{model,
                [](const std::vector<int>&, int x, task_context& task) {
                  return std::tuple(task.index(), task.seed(), task.rng()(), task.rng()() + static_cast<unsigned>(x));
                },
                which.with({.seed = seed})};
    return collect(inv.map(std::views::iota(0, 500)));
  };
  const auto expected = run({execution::sequential, 1}, 42);
  FOR_EVERY_BACK_END(which);
  REQUIRE(run(which, 42) == expected);
  REQUIRE(run(which, 43) != expected);
}

TEST_CASE("a map that goes on with a later task gives what the whole map gives from there") {
  FOR_EVERY_BACK_END(which);
  const auto run = [&](std::uint64_t first) {
    invoker inv{model,
                [](const std::vector<int>&, int x, task_context& task) {
                  if (x % 100 == 7) throw std::runtime_error("seven");
                  return std::tuple(x, task.index(), task.rng()());
                },
                which.with({.seed = 5, .first_task = first})};
    std::vector<std::string> texts;
    for (int map = 0; map < 2; ++map) { // each of its maps begins there
      for (const auto& what : inv.map_outcomes(std::views::iota(static_cast<int>(first), 300))) {
        if (what)
          texts.push_back(std::to_string(std::get<1>(what.value())) + ' ' + std::to_string(std::get<2>(what.value())));
        else
          texts.push_back(std::to_string(dynamic_cast<const task_error&>(what.error()).task) + " failed");
      }
    }
    return texts;
  };
  const auto whole = run(0), rest = run(123);
  REQUIRE(whole.size() == 600);
  REQUIRE(rest.size() == 354);
  for (std::size_t i = 0; i < 177; ++i) {
    REQUIRE(rest[i] == whole[123 + i]);
    REQUIRE(rest[177 + i] == rest[i]);
  }
  invoker inv{model, [](const std::vector<int>&, int x) { return x; }, which.with({.first_task = 1000})};
  std::set<std::size_t> indices;
  for (const auto& [index, value] : inv.map_unordered(std::views::iota(0, 50))) indices.insert(index);
  REQUIRE(indices.size() == 50);
  REQUIRE(*indices.begin() == 1000);
  REQUIRE(*indices.rbegin() == 1049);
}

TEST_CASE("each worker has its own function object as scratch state") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, [calls = 0](const std::vector<int>&, int) mutable { return ++calls; }, which.options()};
  const auto results = collect(inv.map(std::views::iota(0, 1000)));
  REQUIRE(*std::min_element(results.begin(), results.end()) == 1);
  REQUIRE(std::count(results.begin(), results.end(), 1) <= which.n_jobs);
}

TEST_CASE("an exception of a task arrives with its index, type and message, and the range is at its end") {
  FOR_EVERY_BACK_END(which);
  struct own_type {};
  invoker inv{model,
              [](const std::vector<int>& m, int x) {
                if (x == 7) throw std::out_of_range("no such item");
                if (x == 1000) throw own_type{};
                return m[0] + x;
              },
              which.options()};
  int n = 0;
  try {
    for (const int result : inv.map(std::views::iota(0, 100))) REQUIRE(result == 10 + n++);
    FAIL("nothing was thrown");
  } catch (const task_error& error) {
    REQUIRE(n == 7);
    REQUIRE(error.task == 7);
    REQUIRE(error.type_name == "std::out_of_range");
    REQUIRE(error.message == "no such item");
    REQUIRE(error.stage == task_stage::call);
    REQUIRE(error.worker < which.n_jobs);
    REQUIRE_THROWS_AS(std::rethrow_if_nested(error), std::out_of_range);
  }
  try {
    collect(inv.map(std::vector<int>{1000}));
    FAIL("nothing was thrown");
  } catch (const task_error& error) {
    REQUIRE_THAT(error.type_name, testing::contains("own_type"));
  }
  REQUIRE(collect(inv.map(std::vector<int>{1, 2})) == std::vector<int>{11, 12});
}

TEST_CASE("outcomes go on after errors") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model,
              [](const std::vector<int>& m, int x) {
                if (x % 100 == 50) throw std::runtime_error("bad " + std::to_string(x));
                return m[0] + x;
              },
              which.options()};
  int i = 0, n_errors = 0;
  for (const auto& result : inv.map_outcomes(std::views::iota(0, 1000))) {
    if (i % 100 == 50) {
      REQUIRE(!result);
      REQUIRE(dynamic_cast<const task_error&>(result.error()).task == static_cast<std::size_t>(i));
      ++n_errors;
    } else {
      REQUIRE(result.value() == 10 + i);
    }
    ++i;
  }
  REQUIRE(i == 1000);
  REQUIRE(n_errors == 10);
}

TEST_CASE("what the input's iterator throws comes after the results before it") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, add, which.options()};
  auto breaking = std::views::iota(0) | std::views::transform([](int x) {
                    if (x == 10) throw std::domain_error("the input broke");
                    return x;
                  });
  int n = 0;
  REQUIRE_THROWS_AS(
      [&] {
        for (const int result : inv.map(breaking)) REQUIRE(result == 10 + n++);
      }(),
      std::domain_error);
  REQUIRE(n == 10);
  REQUIRE(collect(inv.map(std::vector<int>{5})) == std::vector<int>{15});
}

TEST_CASE("a stop token ends the map with cancelled and leaves the invoker usable for nothing but its end") {
  FOR_EVERY_BACK_END(which);
  std::stop_source stop;
  invoker inv{model, add, which.with({.stop = stop.get_token()})};
  int n = 0;
  REQUIRE_THROWS_AS(
      [&] {
        for ([[maybe_unused]] const int result : inv.map(std::views::iota(0)))
          if (++n == 10) stop.request_stop();
      }(),
      cancelled);
  REQUIRE(n == 10); // whatever was ready
}

TEST_CASE("a stop requested by another thread ends a wait for a task that never ends") {
  const auto where = GENERATE(execution::threads, execution::processes);
  std::stop_source stop;
  invoker inv{model,
              [](const std::vector<int>&, int, task_context& task) {
                while (!task.stop_requested()) std::this_thread::yield();
                return 0;
              },
              {.n_jobs = 2, .where = where, .stop = stop.get_token()}};
  std::jthread stopper([&] { stop.request_stop(); });
  REQUIRE_THROWS_AS(collect(inv.map(std::vector<int>{1, 2, 3})), cancelled);
}

TEST_CASE("misuse is a usage error that says what to do") {
  FOR_EVERY_BACK_END(which);
  std::optional<invoker<const std::vector<int>&, decltype(add)>> inv;
  inv.emplace(model, add, which.options());
  auto range = inv->map(std::views::iota(0, 10));
  REQUIRE_THROWS_AS(inv->map(std::views::iota(0, 10)), usage_error);
  auto at = range.begin();
  REQUIRE(*at == 10);
  auto moved = std::move(*inv);
  REQUIRE_THROWS_AS(inv->map(std::views::iota(0, 10)), usage_error);
  ++at; // the range goes on with the invoker that was moved to
  REQUIRE(*at == 11);
  moved.shutdown();
  REQUIRE_THROWS_AS(++at, usage_error);
  REQUIRE_THROWS_AS(moved.map(std::views::iota(0, 10)), usage_error);
  moved.shutdown();
}

TEST_CASE("results stay valid when the invoker is gone") {
  FOR_EVERY_BACK_END(which);
  std::vector<std::string> results;
  {
    invoker inv{model, [](const std::vector<int>&, int x) { return std::to_string(x); }, which.options()};
    results = collect(inv.map(std::views::iota(0, 10)));
  }
  REQUIRE(results[9] == "9");
}

TEST_CASE("an rvalue model is owned and an lvalue model is referred to") {
  FOR_EVERY_BACK_END(which);
  invoker owning{std::vector<int>{7}, [](const std::vector<int>& m, int) { return m[0]; }, which.options()};
  auto moved = std::move(owning);
  REQUIRE(collect(moved.map(std::vector<int>{0})) == std::vector<int>{7});
  invoker address{model, [](const std::vector<int>& m, int) { return &m == &model ? 1 : 0; }, which.options()};
  REQUIRE(collect(address.map(std::vector<int>{0})) == std::vector<int>{1});
}

TEST_CASE("progress adds up to the number of tasks, errors included") {
  FOR_EVERY_BACK_END(which);
  struct counter final : Progress {
    counter() : Progress("test", 100, "task") {}
    ~counter() override { finish(); }
    void show(const report::progress_snapshot& now) override { last = now; }
    report::progress_snapshot last;
  };
  const auto seen = std::make_shared<counter>();
  invoker inv{model,
              [](const std::vector<int>&, int x) {
                if (x % 10 == 3) throw x;
                return x;
              },
              which.with({.progress = seen})};
  for (const auto& result : inv.map_outcomes(std::views::iota(0, 100))) (void)result;
  REQUIRE(seen->last.count(progress_state::finished) == 90);
  REQUIRE(seen->last.count(progress_state::failed) == 10);
  REQUIRE(seen->last.count(progress_state::in_progress) == 0);
  REQUIRE(seen->last.count(progress_state::dispatched) == 0);
}

TEST_CASE("worker_init runs once in every worker before its first task") {
  FOR_EVERY_BACK_END(which);
  static int initialised;
  initialised = 0;
  invoker inv{model, [](const std::vector<int>&, int) { return initialised; },
              which.with({.worker_init = [](int worker) { initialised += 1 + 0 * worker; }})};
  if (which.where == execution::threads) return; // one variable for all threads
  for (const int n : inv.map(std::views::iota(0, 100))) REQUIRE(n == 1);
}

TEST_CASE("a worker_init that throws ends the map with its message") {
  FOR_EVERY_BACK_END(which);
  invoker inv{model, add, which.with({.worker_init = [](int) { throw std::runtime_error("no licence"); }})};
  REQUIRE_THROWS_WITH(collect(inv.map(std::views::iota(0, 100))), testing::contains("no licence"));
}

namespace {

/// A function whose copies are counted.
struct counted {
  static inline std::atomic<int> n_alive{0};
  counted() { ++n_alive; }
  counted(const counted&) { ++n_alive; }
  counted(counted&&) noexcept { ++n_alive; }
  ~counted() { --n_alive; }
  int operator()(const std::vector<int>&, int x) const { return x; }
};

/// A result whose moving throws in the host, some time.
struct reluctant {
  static inline int moves_left = 0;
  static inline pid_t host = 0;
  explicit reluctant(std::string said) : text(std::move(said)) {}
  reluctant(reluctant&& other) : text(std::move(other.text)) {
    if (::getpid() == host && --moves_left < 0) throw std::domain_error("no further");
  }
  std::string text;
};

} // namespace

template <> struct lk::parallel::codec<reluctant> {
  static void encode(const reluctant& value, wire::writer& out) { wire::encode(value.text, out); }
  static reluctant decode(wire::reader& in) { return reluctant(wire::decode<std::string>(in)); }
};

TEST_CASE("a range that is at its end keeps no copy of the function") {
  FOR_EVERY_BACK_END(which);
  {
    invoker inv{model, counted(), which.options()};
    auto results = inv.map(std::views::iota(0, 100));
    for ([[maybe_unused]] const int x : results) {
    }
    REQUIRE(counted::n_alive == 1); // the invoker's
  }
  REQUIRE(counted::n_alive == 0);
}

TEST_CASE("a result whose moving throws ends the map, and no worker is to blame") {
  reluctant::host = ::getpid();
  invoker inv{model,
              [](const std::vector<int>&, int x) { return reluctant(std::to_string(x)); },
              {.n_jobs = 2, .where = execution::processes}};
  for (const int moves : {0, 1, 2, 3, 50, 51, 52, 53, 1'000'000}) {
    reluctant::moves_left = moves;
    int n = 0;
    try {
      for (const reluctant& result : inv.map(std::views::iota(0, 3000))) n += result.text.empty() ? 0 : 1;
      REQUIRE(n == 3000);
    } catch (const std::exception& thrown) { // a task_error where it threw in the decoder
      REQUIRE_THAT(thrown.what(), testing::contains("no further"));
      REQUIRE(moves < 1'000'000);
    }
    REQUIRE(inv.stats().workers_started == 2);
  }
}

TEST_CASE("options that make no sense are refused by name") {
  REQUIRE_THROWS_WITH((invoker{model, add, {.n_jobs = 0}}), testing::contains("n_jobs"));
  REQUIRE_THROWS_WITH((invoker{model, add, {.first_task = UINT64_MAX}}), testing::contains("first_task"));
  REQUIRE_THROWS_WITH((invoker{model, add, {.n_jobs = 2, .retries = -1}}), testing::contains("retries"));
  REQUIRE_THROWS_AS((invoker{in_process, model, add, {.where = execution::processes}}), config_error);
  const std::chrono::milliseconds limit(100);
  for (const auto where : {execution::sequential, execution::threads})
    REQUIRE_THROWS_WITH((invoker{model, add, {.n_jobs = 2, .where = where, .task_timeout = limit}}),
                        testing::contains("task_timeout"));
  REQUIRE_THROWS_AS((invoker{in_process, model, add, {.task_timeout = limit}}), config_error);
  REQUIRE_THROWS_AS((invoker{model, add, {.task_timeout = -limit}}), config_error);
}

TEST_CASE("the back end is chosen as the options need it") {
  const auto chosen = [](invoker_options options) { return invoker{model, add, std::move(options)}.stats().where; };
  REQUIRE(chosen({.n_jobs = 1}) == execution::sequential);
  REQUIRE(chosen({.n_jobs = 2}) == execution::processes);
  REQUIRE(chosen({.n_jobs = 1, .retries = 1}) == execution::processes);
  REQUIRE(chosen({.n_jobs = 1, .task_timeout = std::chrono::seconds(1)}) == execution::processes);
  REQUIRE(chosen({.n_jobs = 1, .worker_init = [](int) {}}) == execution::processes);
  REQUIRE(chosen({.n_jobs = 3, .where = execution::threads}) == execution::threads);
  REQUIRE(invoker{in_process, model, add, {.n_jobs = 2}}.stats().where == execution::threads);
  REQUIRE(invoker{in_process, model, add, {.n_jobs = 1}}.stats().where == execution::sequential);
}

TEST_CASE("an in_process invoker needs no codecs") {
  struct opaque {
    const int* pointer;
  };
  const int value = 5;
  invoker inv{in_process, model, [](const std::vector<int>&, opaque x) { return x.pointer; }, {.n_jobs = 2}};
  for (const int* result : inv.map(std::vector<opaque>{{&value}})) REQUIRE(result == &value);
}

TEST_CASE("an invoker inside a task runs in place") {
  FOR_EVERY_BACK_END(which);
  invoker outer{model,
                [](const std::vector<int>& m, int x) {
                  invoker inner{m, add, {.n_jobs = 4}};
                  int sum = 0;
                  for (const int result : inner.map(std::views::iota(0, 3))) sum += result;
                  return std::pair(inner.stats().where == execution::sequential, sum + x);
                },
                which.options()};
  for (const auto& [in_place, sum] : outer.map(std::vector<int>{0, 0})) {
    REQUIRE(in_place);
    REQUIRE(sum == 33);
  }
}

TEST_CASE("an invoker leaves nothing behind, however its map ended") {
  ensure_parallel_init();
  FOR_EVERY_BACK_END(which);
  { invoker first{model, add, which.options()}; } // what the process sets up once stays
  const testing::leak_guard guard;
  for (int round = 0; round < 10; ++round) {
    invoker inv{model, add, which.options()};
    int n = 0;
    for ([[maybe_unused]] const int result : inv.map(std::views::iota(0, 1000)))
      if (++n == round * 50) break;
  }
  REQUIRE(guard.difference() == "");
}

TEST_CASE("an invoker of forgotten types maps as the one inside it") {
  FOR_EVERY_BACK_END(which);
  ModelOpInvoker<int, int> erased{invoker{model, add, which.options()}};
  REQUIRE(collect(erased.map(std::vector<int>{1, 2, 3})) == std::vector<int>{11, 12, 13});
  REQUIRE(collect(erased.map(std::views::iota(0, 500))).size() == 500);
  int n = 0;
  for (const auto& result : erased.map_outcomes(std::vector<int>{4})) n += result.value();
  REQUIRE(n == 14);
  ModelOpInvoker<int, int> moved = std::move(erased);
  REQUIRE_THROWS_AS(erased.map(std::vector<int>{1}), usage_error);
  moved.shutdown();
  REQUIRE_THROWS_AS(moved.map(std::vector<int>{1}), usage_error);
}

TEST_CASE("many maps of tiny tasks on threads come to their end, whoever waits for whom on the way") {
  const int factor = 3;
  const auto window = GENERATE(std::size_t{0}, std::size_t{16}, std::size_t{64});
  invoker inv{
      factor, [](const int& m, int x) { return m * x; }, {.n_jobs = 3, .where = execution::threads, .window = window}};
  for (int map = 0; map < 20; ++map) {
    std::int64_t sum = 0;
    for (const int result : inv.map(std::views::iota(0, 5000))) sum += result;
    REQUIRE(sum == std::int64_t{3} * 4999 * 5000 / 2);
  }
}

TEST_CASE("tasks that wait for each other at the end of a map have a thread each, though those before were small") {
  constexpr int n_threads = 4, n_small = 20'000;
  std::atomic<int> n_here{0};
  invoker inv{in_process,
              model,
              [&n_here](const std::vector<int>&, int x) {
                if (x < n_small) return x;
                ++n_here;
                n_here.notify_all();
                for (int n = n_here.load(); n < n_threads; n = n_here.load()) n_here.wait(n);
                return x;
              },
              {.n_jobs = n_threads, .where = execution::threads}};
  std::vector<int> arguments(n_small + n_threads);
  std::iota(arguments.begin(), arguments.end(), 0);
  REQUIRE(collect(inv.map(arguments)) == arguments);
}

namespace {

/// Bears to be moved so many times.
struct tired {
  explicit tired(int most) : moves_left(most) {}
  tired(const tired&) = default;
  tired(tired&& other) noexcept(false) : moves_left(other.moves_left - 1) {
    if (moves_left < 0) throw std::runtime_error("tired");
  }
  int moves_left;
};

} // namespace

TEST_CASE("an argument that throws when it is moved ends a map on threads with what it threw") {
  const int most = GENERATE(0, 1, 2, 3); // by the consumer, in the queue, by the thread, never
  std::vector<tired> arguments(100, tired(10));
  arguments[50].moves_left = most;
  invoker inv{in_process,
              model,
              [](const std::vector<int>&, const tired& x) { return x.moves_left; },
              {.n_jobs = 2, .where = execution::threads}};
  const auto run = [&] { return collect(inv.map(arguments)).size(); };
  if (most < 3)
    REQUIRE_THROWS_WITH(run(), "tired");
  else
    REQUIRE(run() == 100);
  arguments[50].moves_left = 10;
  REQUIRE(run() == 100);
}

TEST_CASE("a source may wait on threads for tasks that it has given to begin") {
  std::atomic<int> n_begun{0};
  invoker inv{in_process,
              model,
              [&n_begun](const std::vector<int>&, int x) {
                ++n_begun;
                return x;
              },
              {.n_jobs = 2, .where = execution::threads}};
  const auto paced = std::views::iota(0, 100) | std::views::transform([&n_begun](int i) {
                       while (n_begun < i) std::this_thread::yield();
                       return i;
                     });
  REQUIRE(collect(inv.map(paced)).size() == 100);
}
