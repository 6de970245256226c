// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <new>
#include <ranges>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <lk/parallel/codec.hpp>
#include <lk/parallel/invoker.hpp>
#include <lk/parallel/progress.hpp>

#include "faults/every_back_end.hpp"
#include "faults/fault.hpp"
#include "faults/pool.hpp"

// C: what tasks throw, what their codecs throw, and that it is the same in every back end.

namespace lk::parallel::faults {
namespace {

struct too_few_ratings : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct no_exception_class {};
struct without_words : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

[[noreturn]] void throw_nested() {
  try {
    try {
      throw std::out_of_range("the innermost");
    } catch (...) {
      std::throw_with_nested(too_few_ratings("in the middle"));
    }
  } catch (...) {
    std::throw_with_nested(std::invalid_argument("the outermost"));
  }
}

/// One way of failing for each x below n_ways; the others succeed.
constexpr std::int64_t n_ways = 9;
std::string fail(std::int64_t x, task_context&) {
  switch (x) {
  case 0:
    throw std::domain_error("a word of its own");
  case 1:
    throw too_few_ratings("user 7 has 2");
  case 2:
    throw_nested();
  case 3:
    throw 42;
  case 4:
    throw std::bad_alloc();
  case 5:
    throw std::system_error(ENOSPC, std::generic_category(), "the disk");
  case 6:
    throw no_exception_class();
  case 7:
    throw std::runtime_error(std::string("before\0after", 12));
  case 8:
    throw without_words();
  }
  return answer(x);
}

/// An error and what it was thrown from, in one text.
std::string chain_of(const std::exception& thrown) {
  std::string text = thrown.what();
  try {
    std::rethrow_if_nested(thrown);
  } catch (const std::system_error& inner) {
    text += " < code " + std::to_string(inner.code().value()) + ' ' + chain_of(inner);
  } catch (const std::out_of_range& inner) {
    text += " < out_of_range " + chain_of(inner);
  } catch (const std::exception& inner) {
    text += " < " + chain_of(inner);
  } catch (...) {
    text += " < something else";
  }
  return text;
}

const task_error& as_task_error(const outcome<std::string>& of) {
  expect(!of.has_value(), "a task that throws has no value");
  const auto* const found = dynamic_cast<const task_error*>(&of.error());
  expect(found != nullptr, "what a task throws arrives as a task_error");
  return *found;
}

std::vector<outcome<std::string>> outcomes_of(pool& workers, std::int64_t n) {
  std::vector<outcome<std::string>> all;
  for (auto& one : workers.map_outcomes(arguments(n))) all.push_back(std::move(one));
  return all;
}

void expect_thrown(const task_error& found, const std::string& type, const std::string& message) {
  expect(found.type_name.find(type) != std::string::npos, "the type is told demangled: " + found.type_name);
  expect(found.message == message, "the message is what() of the original: " + found.message);
  expect(found.stage == task_stage::call, "the stage is the call");
}

} // namespace

FAULT("C1", "what a task throws arrives with index, demangled type, what() and nested originals; its worker lives on") {
  for_every_back_end([](const back_end& which) {
    pool workers = make_pool(fail, which.options());
    const auto before = worker_pids();
    const auto all = outcomes_of(workers, 50);
    expect(all.size() == 50, "every task has an outcome");
    for (std::int64_t x = 0; x < 50; ++x) {
      const auto& one = all[static_cast<std::size_t>(x)];
      if (x >= n_ways) expect(one.value() == answer(x), "the other tasks are unharmed");
      if (x >= n_ways) continue;
      expect(as_task_error(one).task == static_cast<std::size_t>(x), "the error names the task");
      const int worker = as_task_error(one).worker;
      expect(worker >= 0 && worker < which.n_jobs, "the error names the worker");
    }
    expect_thrown(as_task_error(all[0]), "std::domain_error", "a word of its own");
    expect_thrown(as_task_error(all[1]), "too_few_ratings", "user 7 has 2");
    expect_thrown(as_task_error(all[2]), "std::invalid_argument", "the outermost");
    expect_thrown(as_task_error(all[3]), "int", "(no message)");
    expect_thrown(as_task_error(all[4]), "std::bad_alloc", std::bad_alloc().what());
    expect_thrown(as_task_error(all[5]), "std::system_error",
                  std::system_error(ENOSPC, std::generic_category(), "the disk").what());
    expect_thrown(as_task_error(all[6]), "no_exception_class", "(no message)");
    expect_thrown(as_task_error(all[7]), "std::runtime_error", "before");
    expect_thrown(as_task_error(all[8]), "without_words", "(no message)");
    const std::string nested = chain_of(as_task_error(all[2]));
    expect(nested.ends_with(" < the outermost < in the middle < out_of_range the innermost"),
           "the originals are nested, innermost last: " + nested);
    for (const pid_t pid : before) {
      const auto now = worker_pids();
      expect(std::find(now.begin(), now.end(), pid) != now.end(), "an exception costs no worker");
    }
  });
}

FAULT("C1-map", "with map the range ends at the task that throws, and the invoker stays usable") {
  for_every_back_end([](const back_end& which) {
    pool workers = make_pool(
        [](std::int64_t x, task_context&) -> std::string {
          if (x == 1007) throw too_few_ratings("user 7 has 2");
          return answer(x);
        },
        which.options());
    for (int round = 0; round < 3; ++round) {
      std::int64_t n = 0;
      try {
        for (const std::string& result : workers.map(std::views::iota(std::int64_t{1000}, std::int64_t{1100})))
          expect(result == answer(1000 + n++), "results before the error arrive in order");
        expect(false, "the error is thrown");
      } catch (const task_error& found) {
        expect(n == 7 && found.task == 7, "everything before the error was delivered");
      }
      expect_healthy(workers, 20);
    }
  });
}

FAULT("C2-long-words", "a what() of 100 MB is cut to 64 KiB, and not inside a UTF-8 sequence") {
  for (const back_end& which : {back_end{execution::sequential, 1}, back_end{execution::processes, 1}}) {
    pool workers = make_pool(
        [](std::int64_t x, task_context&) -> std::string {
          if (x != 0) return answer(x);
          constexpr std::size_t n = 100'000'000;
          std::string words(n, 'w');
          words.replace(65535, 2, "\u00e9");
          throw std::runtime_error(words);
        },
        which.options());
    const auto all = outcomes_of(workers, 3);
    const std::string& message = as_task_error(all[0]).message;
    expect(message == std::string(65535, 'w'), "the message is cut in front of the letter that would be torn");
    expect(all[1].value() == answer(1) && all[2].value() == answer(2), "the next results are right");
  }
}

namespace {

const char* throw_something() { throw std::runtime_error("from what()"); }
struct throws_in_what : std::exception {
  const char* what() const noexcept override { return throw_something(); }
};

} // namespace

FAULT("C2-what-throws", "a what() that throws ends its worker by SIGABRT, as C++ rules, and costs one task") {
  pool workers = make_pool(
      [](std::int64_t x, task_context&) -> std::string {
        if (x == 3) throw throws_in_what();
        return answer(x);
      },
      {.n_jobs = 2});
  const auto all = outcomes_of(workers, 20);
  for (std::int64_t x = 0; x < 20; ++x) {
    const auto& one = all[static_cast<std::size_t>(x)];
    if (x != 3) expect(one.value() == answer(x), "the other tasks are unharmed");
    if (x != 3) continue;
    const auto* const lost = dynamic_cast<const worker_lost*>(&one.error());
    expect(lost && lost->kind == loss_kind::killed && lost->code == SIGABRT, "std::terminate is told as SIGABRT");
    expect(lost && lost->task == 3U, "the task that threw is blamed");
  }
}

namespace {

/// Breaks while it travels: as an argument and as a result it is another type, so that each stage can be chosen.
template <bool IsResult> struct fragile {
  std::int64_t number;
  task_stage breaks_at;
  std::size_t ballast; ///< bytes that are written before it breaks

  static constexpr task_stage encode_stage = IsResult ? task_stage::encode_result : task_stage::encode_argument;
  static constexpr task_stage decode_stage = IsResult ? task_stage::decode_result : task_stage::decode_argument;
};

constexpr task_stage stages[] = {task_stage::encode_argument, task_stage::decode_argument, task_stage::call,
                                 task_stage::encode_result, task_stage::decode_result};

/// In place in a ring, grown out of it, and in pieces.
constexpr std::size_t ballasts[] = {0, 5'000, 1'200'000};

} // namespace
} // namespace lk::parallel::faults

template <bool IsResult> struct lk::parallel::codec<lk::parallel::faults::fragile<IsResult>> {
  using type = faults::fragile<IsResult>;
  static void encode(const type& value, wire::writer& out) {
    out.put(value.number);
    out.put(value.breaks_at);
    const std::string ballast(value.ballast, 'b');
    wire::encode(ballast, out);
    if (value.breaks_at == type::encode_stage) throw std::length_error("broken midway");
  }
  static type decode(wire::reader& in) {
    type value{in.get<std::int64_t>(), in.get<task_stage>(), 0};
    value.ballast = wire::decode<std::string>(in).size();
    if (value.breaks_at == type::decode_stage) throw std::length_error("broken midway");
    return value;
  }
};

namespace lk::parallel::faults {

FAULT("C2-codecs", "a codec that throws midway costs its own task, told with the stage; the stream stays in step") {
  for (const back_end& which : testing::all_back_ends()) {
    if (which.where == execution::threads) continue; // as sequential: nothing is encoded
    invoker travellers{0,
                       [](const int&, const fragile<false>& x) -> fragile<true> {
                         if (x.breaks_at == task_stage::call) throw std::length_error("broken midway");
                         return {x.number, x.breaks_at, x.ballast};
                       },
                       which.options()};
    constexpr int n_tasks = 60;
    const auto make = [](int x) {
      const bool breaks = x % 3 == 1;
      const auto stage =
          breaks ? stages[static_cast<std::size_t>(x) / 3 % std::size(stages)] : static_cast<task_stage>(-1);
      return fragile<false>{x, stage, ballasts[static_cast<std::size_t>(x) % std::size(ballasts)]};
    };
    int x = 0;
    for (const auto& one : travellers.map_outcomes(std::views::iota(0, n_tasks) | std::views::transform(make))) {
      const auto sent = make(x);
      const bool is_encoded = has_processes(which);
      const bool breaks = x % 3 == 1 && (is_encoded || sent.breaks_at == task_stage::call);
      expect(one.has_value() != breaks, "those tasks fail that were to, and no others");
      if (breaks) {
        const auto& found = dynamic_cast<const task_error&>(one.error());
        expect(found.task == static_cast<std::size_t>(x) && found.stage == sent.breaks_at, "the stage is told");
        expect(found.type_name == "std::length_error" && found.message == "broken midway", "so is what was thrown");
        expect((found.worker == -1) == (sent.breaks_at == task_stage::encode_argument), "and who, if anybody, had it");
      } else {
        expect(one.value().number == x && one.value().ballast == sent.ballast, "the results after it are right");
      }
      ++x;
    }
    expect(x == n_tasks, "every task has an outcome");
  }
}

FAULT("C3", "an error is observed alike in every back end") {
  std::vector<std::string> expected;
  for_every_back_end([&](const back_end& which) {
    if (which.n_jobs != 1) return; // the number of the worker is in the sentence
    pool workers = make_pool(fail, which.options());
    std::vector<std::string> seen;
    for (const auto& one : outcomes_of(workers, n_ways))
      seen.push_back(as_task_error(one).type_name + ": " + chain_of(one.error()));
    if (expected.empty()) expected = seen;
    for (std::size_t i = 0; i < expected.size(); ++i)
      expect(seen[i] == expected[i], "the same error as in the first back end: " + seen[i] + " | " + expected[i]);
  });
}

namespace {

/// Keeps what would be drawn.
struct watched_progress final : Progress {
  watched_progress() : Progress("watched", std::nullopt, "tasks") {}
  void show(const report::progress_snapshot& now) override { last = now; }
  std::size_t count(progress_state which) const { return last.count(which); }
  report::progress_snapshot last;
};

} // namespace

FAULT("C3-progress", "a task that fails leaves in_progress for failed, also where its error ends the map") {
  for_every_back_end([](const back_end& which) {
    const auto progress = std::make_shared<watched_progress>();
    pool workers = make_pool(fail, which.with({.progress = progress}));
    expect(outcomes_of(workers, 30).size() == 30, "every task has an outcome");
    expect(progress->count(progress_state::failed) == n_ways, "the failed ones are counted as failed");
    expect(progress->count(progress_state::finished) == 30 - n_ways, "the others as finished");
    expect(progress->count(progress_state::in_progress) + progress->count(progress_state::dispatched) == 0,
           "none is left in between");

    std::vector<std::int64_t> many(200, n_ways);
    many[0] = 0;
    try {
      (void)results_of(workers, many);
      expect(false, "the error is thrown");
    } catch (const task_error&) {
    }
    expect(progress->count(progress_state::failed) == n_ways + 1, "the one that ends a map is counted as well");
    expect(progress->count(progress_state::in_progress) == 0, "none is in progress once the map has ended");
  });
}

} // namespace lk::parallel::faults
