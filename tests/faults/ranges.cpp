// lk-parallel | SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/base/unique_fd.hpp>
#include <lk/parallel/invoker.hpp>

#include <support/sanitizers.hpp>

#include "faults/every_back_end.hpp"
#include "faults/fault.hpp"
#include "faults/pool.hpp"

// D: input without end, slow consumers, loops that are left, results of all sizes, and ranges and invokers that are
// used against their contract.

namespace lk::parallel::faults {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// 0, 1, ... without end; counts what is read.
auto counted(std::int64_t& n_read) {
  return std::views::iota(std::int64_t{0}) | std::views::transform([&n_read](std::int64_t x) {
           ++n_read;
           return x;
         });
}

/// A line "NAME: 123 kB" of /proc/PID/status in bytes; 0 where there is none.
std::size_t status_bytes(pid_t pid, const std::string& name) {
  const auto text = base::read_small_file("/proc/" + std::to_string(pid) + "/status").value_or("");
  const auto at = text.find(name + ":");
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + name.size() + 1, nullptr, 10) * 1024;
}

/// Peak memory of this process and its workers, as growth since it was made. VmHWM of the host begins anew where the
/// kernel lets us (clear_refs, proc(5)); a worker's includes what it shares with the host.
class memory_watch {
 public:
  memory_watch() {
    const base::unique_fd reset(::open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC));
    if (reset) [[maybe_unused]]
      const auto n = ::write(reset.get(), "5", 1);
    before_ = status_bytes(::getpid(), "VmHWM");
  }

  /// A sanitizer's own memory grows with all that is allocated, so nothing is measured under one.
  void expect_growth_below(std::size_t limit) const {
    if (testing::under_sanitizer) return;
    const auto at_most = [&](pid_t pid, const std::string& who) {
      const std::size_t peak = status_bytes(pid, "VmHWM");
      expect(peak < before_ + limit, who + " held " + std::to_string(peak / mebibyte) +
                                         " MiB at its peak; the host had " + std::to_string(before_ / mebibyte) +
                                         " at first");
    };
    at_most(::getpid(), "the host");
    for (const pid_t pid : worker_pids()) at_most(pid, "a worker");
  }

 private:
  std::size_t before_;
};

} // namespace

FAULT("D1-endless", "of an endless input no more is read than the window allows, and taking a part of it ends") {
  for_every_back_end([](const back_end& which) {
    pool workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, which.with({.window = 10}));
    std::int64_t n_read = 0, n = 0;
    for (const std::string& result : workers.map(counted(n_read)) | std::views::take(100))
      expect(result == answer(n++), "results are right and in order");
    expect(n == 100, "as many as were asked for");
    expect(n_read <= 100 + 10 + 1, "look-ahead is bounded by the window: " + std::to_string(n_read) + " were read");
    expect_healthy(workers, 20);
  });
}

FAULT("D1-million", "a million results reach a consumer that pauses now and then, in bounded memory, none dropped") {
  for (const back_end& which : {back_end{execution::threads, 2}, back_end{execution::processes, 2}}) {
    constexpr std::int64_t n_tasks = 1'000'000;
    constexpr std::size_t bytes = 100; // 100 MB in all
    pool workers =
        make_pool([](std::int64_t x, task_context&) { return std::string(bytes, static_cast<char>('a' + x % 26)); },
                  which.options());
    std::int64_t n = 0;
    const memory_watch memory;
    for (const std::string& result : workers.map(std::views::iota(std::int64_t{0}, n_tasks))) {
      expect(result.size() == bytes && result.back() == 'a' + n % 26, "no result is missing or out of its place");
      if (n % 250'000 == 0) ::poll(nullptr, 0, 10); // what is tested is that time passes: the window fills
      ++n;
    }
    expect(n == n_tasks, "all results arrive");
    memory.expect_growth_below(24 * mebibyte);
  }
}

FAULT("D1-window", "while the first task takes its time, the window bounds how many others are begun") {
  constexpr std::int64_t window = 50, enough = 20;
  for (const back_end& which : testing::all_back_ends()) {
    if (which.n_jobs == 1) continue; // the others wait for the first one
    const shared<std::atomic<int>> n_done, n_begun;
    pool workers = make_pool(
        [&](std::int64_t x, task_context&) {
          n_begun->fetch_add(1);
          while (x == 0 && *n_done < enough) ::poll(nullptr, 0, 1);
          n_done->fetch_add(1);
          return answer(x);
        },
        which.with({.window = static_cast<std::size_t>(window)}));
    std::int64_t n_read = 0, n = 0;
    for (const std::string& result : workers.map(counted(n_read))) {
      if (n == 0) expect(n_read <= window, "no more is read than the window: " + std::to_string(n_read));
      if (n == 0) expect(*n_begun <= window, "and no more begun");
      expect(result == answer(n++), "the first result is the first one's");
      if (n == 200) break;
    }
  }
}

namespace {

/// Waits until the number is at least `enough`, or has stood still for a while: whoever could move it has had the time.
void wait_until_it_rests(const std::atomic<int>& number, int enough) {
  constexpr int a_while = 50;
  for (int seen = -1, rounds = 0; rounds < a_while && seen < enough; ::poll(nullptr, 0, 1)) {
    const int now = number;
    rounds = now > 0 && now == seen ? rounds + 1 : 0;
    seen = now;
  }
}

} // namespace

FAULT("D1-window-bytes", "while the first task takes its time, the bytes of results that wait for it are bounded") {
  const shared<std::atomic<int>> n_done;
  pool workers = make_pool(
      [&](std::int64_t x, task_context&) {
        if (x == 0) wait_until_it_rests(*n_done, 100);
        std::string result(mebibyte, 'r');
        n_done->fetch_add(1);
        return result;
      },
      {.n_jobs = 2, .window_bytes = 4 * mebibyte});
  std::int64_t n_read = 0, n = 0;
  const memory_watch memory;
  for (const std::string& result : workers.map(counted(n_read))) {
    if (n == 0) expect(n_read < 20, "input is read as results find room: " + std::to_string(n_read));
    expect(result.size() == mebibyte, "results are whole");
    if (++n == 60) break;
  }
  memory.expect_growth_below(40 * mebibyte);
}

FAULT("D2", "a loop that is left by break or by an exception leaves a usable invoker") {
  for_every_back_end([](const back_end& which) {
    pool workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, which.options());
    for (int round = 0; round < 5; ++round) {
      std::int64_t n = 0;
      for (const std::string& result : workers.map(std::views::iota(std::int64_t{0}))) {
        expect(result == answer(n), "results are right");
        if (++n == 3) break;
      }
      n = 0;
      try {
        for (const std::string& result : workers.map(std::views::iota(std::int64_t{0}))) {
          expect(result == answer(n), "results are right");
          if (++n == 3) throw std::domain_error("of the loop's body");
        }
        expect(false, "the body's exception leaves the loop");
      } catch (const std::domain_error&) {
      }
      expect_healthy(workers, 20);
    }
  });
}

FAULT("D3", "what the input throws at element 10 arrives as it is, after the results of 0 to 9") {
  struct broken_input {
    int at;
  };
  for_every_back_end([](const back_end& which) {
    pool workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, which.options());
    const auto breaking = std::views::iota(std::int64_t{0}) | std::views::transform([](std::int64_t x) {
                            if (x == 10) throw broken_input{4711};
                            return x;
                          });
    for (int round = 0; round < 3; ++round) {
      std::int64_t n = 0;
      try {
        for (const std::string& result : workers.map(breaking)) expect(result == answer(n++), "results come first");
        expect(false, "the input's exception is thrown");
      } catch (const broken_input& thrown) {
        expect(thrown.at == 4711 && n == 10, "that very exception, after all that came before it");
      }
      expect_healthy(workers, 20);
    }
  });
}

namespace {

/// n bytes that depend on n and on their place.
std::string patterned(std::size_t n) {
  std::string text(n, '\0');
  for (std::size_t i = 0; i < n; ++i) text[i] = static_cast<char>(i * 7 + n + i / 4096);
  return text;
}

} // namespace

FAULT("D4", "arguments and results of 0 bytes, 1 byte and about a ring, just below, at and above it, arrive whole") {
  // 256 KiB and 1 MiB are the rings; half of one less a header is the largest message that travels in one piece, and a
  // string takes eight bytes more than its characters.
  std::vector<std::size_t> sizes{0, 1, 2, 7, 8, 9};
  for (const std::size_t ring : {mebibyte / 4, mebibyte}) {
    for (const std::size_t edge : {ring / 2 - 16 - 8, ring / 2 - 16, ring / 2, ring - 16 - 8, ring - 8, ring, 3 * ring})
      sizes.insert(sizes.end(), {edge - 1, edge, edge + 1});
  }
  for_every_back_end([&](const back_end& which) {
    if (which.n_jobs == 4) return;
    invoker echo{0, [](const int&, std::string text) { return text; }, which.options()};
    std::size_t i = 0;
    for (const std::string& result : echo.map(sizes | std::views::transform(patterned)))
      expect(result == patterned(sizes[i++]), "what comes back is what was sent");
    expect(i == sizes.size(), "all of it");
  });
}

FAULT("D4-nothing", "a function that returns void gives as many results as there are arguments") {
  for_every_back_end([](const back_end& which) {
    invoker silent{0, [](const int&, int) {}, which.options()};
    int n = 0;
    for ([[maybe_unused]] const auto nothing : silent.map(std::views::iota(0, 1000))) ++n;
    expect(n == 1000, "one for each");
  });
}

namespace {

/// Whatever happens to memory, this program and what it forks is what the kernel ends first.
void be_the_first_to_go() {
  const base::unique_fd score(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  expect(score && ::write(score.get(), "1000", 4) == 4, "oom_score_adj can be raised");
}

std::size_t available_bytes() {
  const auto text = base::read_small_file("/proc/meminfo").value_or("");
  const auto at = text.find("MemAvailable:");
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + 13, nullptr, 10) * 1024;
}

} // namespace

FAULT("D4-gibibyte", "a result of 1 GiB arrives whole, and the small ones after it") {
  constexpr std::size_t gibibyte = 1024 * mebibyte;
  if (testing::under_sanitizer || available_bytes() < 10 * gibibyte) {
    std::puts("skipped: too little memory here for a result of 1 GiB");
    return;
  }
  be_the_first_to_go();
  pool workers = make_pool(
      [](std::int64_t x, task_context&) { return x == 1 ? std::string(gibibyte, 'g') : answer(x); }, {.n_jobs = 2});
  std::int64_t n = 0;
  for (const std::string& result : workers.map(arguments(5))) {
    if (n == 1) {
      expect(result.size() == gibibyte, "it is whole");
      expect(result.find_first_not_of('g') == std::string::npos, "and as it was");
    } else {
      expect(result == answer(n), "the others are right");
    }
    ++n;
  }
  expect(n == 5, "all results arrive");
  expect(status_bytes(::getpid(), "VmRSS") < gibibyte, "the memory is given back");
}

namespace {

/// Whether calling fn is a usage_error whose sentence holds the part.
template <class Fn> bool is_usage_error(Fn&& fn, const std::string& part) {
  try {
    fn();
  } catch (const usage_error& error) {
    return std::string(error.what()).find(part) != std::string::npos;
  }
  return false;
}

} // namespace

FAULT("D5",
      "a second map, a range without its invoker, and things that were moved from are usage errors, told as such") {
  for_every_back_end([](const back_end& which) {
    pool first = make_pool([](std::int64_t x, task_context&) { return answer(x); }, which.options());
    {
      auto range = first.map(arguments(10));
      expect(is_usage_error([&] { (void)first.map(arguments(1)); }, "still in progress"), "a second map is refused");
      std::int64_t n = 0;
      for (const std::string& result : range) {
        expect(result == answer(n++), "the first range goes on");
        expect(is_usage_error([&] { (void)first.map(arguments(1)); }, "still in progress"),
               "also from inside the loop");
      }
      expect(n == 10, "to its end");
    }
    auto orphan = [&] {
      pool short_lived = make_pool([](std::int64_t x, task_context&) { return answer(x); }, which.options());
      return short_lived.map(arguments(1000));
    }();
    expect(is_usage_error([&] { (void)orphan.begin(); }, "the invoker of this map is gone"), "an orphan is refused");

    auto owner =
        std::make_unique<pool>(make_pool([](std::int64_t x, task_context&) { return answer(x); }, which.options()));
    auto widow = owner->map(arguments(5000));
    auto at = widow.begin();
    expect(*at == answer(0), "the first result is there");
    owner.reset();
    expect(is_usage_error([&] { ++at; }, "the invoker of this map is gone"), "going on is refused");

    pool second = std::move(first);
    expect(is_usage_error([&] { (void)first.map(arguments(1)); }, "moved from"), "an empty invoker is refused");
    auto range = second.map(arguments(10));
    auto moved = std::move(range);
    expect(is_usage_error([&] { (void)range.begin(); }, "moved from"), "an empty range is refused");
    expect(std::ranges::distance(std::move(moved)) == 10, "the one it was moved to has everything");
    second.shutdown();
    expect(is_usage_error([&] { (void)second.map(arguments(1)); }, "shut down"), "after shutdown() a map is refused");
  });
}

FAULT("D6", "no argument, one for eight workers, fewer than workers; results outlive their invoker") {
  for (const execution where : {execution::sequential, execution::threads, execution::processes}) {
    std::vector<std::string> kept;
    {
      pool workers = make_pool([](std::int64_t x, task_context&) { return answer(x); }, {.n_jobs = 8, .where = where});
      expect(results_of(workers, {}).empty(), "no argument, no result");
      for (const std::int64_t n : {1, 3, 7, 8, 9}) expect_healthy(workers, n);
      kept = results_of(workers, arguments(5));
    }
    for (std::int64_t x = 0; x < 5; ++x)
      expect(kept[static_cast<std::size_t>(x)] == answer(x), "results are the host's own");
  }
}

} // namespace lk::parallel::faults
