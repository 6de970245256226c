// lk-parallel | SPDX-License-Identifier: MIT

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <recsys/random_source.hpp>
#include <support/catch.hpp>
#include <support/sanitizers.hpp>

#include "program.hpp"
#include "scratch_folder.hpp"

// The real programs, whole process groups killed or interrupted (Ctrl-C) at random moments and started again until
// their job is done, job after job. ctest hands over their paths in BATCH_RECOMMEND, BATCH_PREDICT and BATCH_MERGE;
// LK_PARALLEL_KILLS says how many kills of each there shall be at least and LK_PARALLEL_SEED which.

using namespace recsys::testing;
using recsys::random_source;
namespace fs = std::filesystem;

namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// What the files of a job tell about where it is.
struct job_state {
  explicit job_state(const std::string& out)
      : log(content_of(out + ".journal"))
      , part_bytes(size_of(out + ".part"))
      , has_output(fs::exists(out)) {}

  bool is_complete_line_there() const { return last_line().starts_with("complete "); }
  std::string last_line() const {
    const std::size_t end = log.rfind('\n');
    if (end == log.npos || end == 0) return "";
    const std::size_t begin = log.rfind('\n', end - 1);
    return log.substr(begin == log.npos ? 0 : begin + 1, end - (begin == log.npos ? 0 : begin + 1));
  }
  /// The phase that a kill has hit, of a run that has found `before`.
  std::string phase_after(const job_state& before) const {
    if (has_output) return "after the output had its name";
    if (before.log.starts_with(log) && part_bytes <= before.part_bytes) // nothing new, perhaps something taken back
      return log.empty() ? "before the journal" : "in the start, up to new output";
    if (is_complete_line_there()) return "in the commit";
    if (!log.ends_with('\n')) return "in a flush";
    const std::string line = last_line();
    if (!line.starts_with("checkpoint ")) return part_bytes > 0 ? "in a flush" : "in the start, up to new output";
    const std::size_t bytes_at = line.find(' ', line.find(' ') + 1) + 1;
    return part_bytes != std::strtoull(line.c_str() + bytes_at, nullptr, 10) ? "in a flush" : "at work";
  }

  std::string log;
  std::uint64_t part_bytes;
  bool has_output;
};

/// Blocks: until the condition holds or the program has ended or some time has passed.
void wait_for(program& running, const std::function<bool()>& condition, std::chrono::microseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  const timespec pause{0, 50'000};
  while (!condition() && !running.has_ended() && std::chrono::steady_clock::now() < end) ::nanosleep(&pause, nullptr);
}

constexpr std::chrono::seconds long_enough{60};
/// A random moment of the program's life: half of them any, the others where files change.
void wait_for_moment(program& running, const std::string& out, random_source& random, std::chrono::microseconds whole) {
  const auto some = [&](std::chrono::microseconds most) {
    return std::chrono::microseconds(random.below(static_cast<std::uint64_t>(most.count()) + 1));
  };
  const auto never = [] { return false; };
  bool is_over = true; // the commit of the run before, which has been cut short, until this run takes it back
  const auto commit_has_begun = [&] {
    const bool is_there = job_state(out).is_complete_line_there();
    is_over = is_over && is_there;
    return is_there && !is_over;
  };
  const std::uint64_t kind = random.below(8);
  if (kind < 3) { // the part has just grown for the n-th time
    std::uint64_t before = size_of(out + ".part"), n = 1 + random.below(12);
    const auto has_grown = [&] {
      const std::uint64_t now = size_of(out + ".part");
      if (now > before) --n;
      before = now;
      return n == 0 || commit_has_begun();
    };
    wait_for(running, has_grown, long_enough);
    wait_for(running, never, some(std::chrono::milliseconds(1)));
  } else if (kind == 3) {
    wait_for(running, commit_has_begun, long_enough);
    wait_for(running, never, some(std::chrono::milliseconds(6)));
  } else {
    wait_for(running, never, some(whole));
  }
}

using clock = std::chrono::steady_clock;

std::chrono::microseconds time_since(clock::time_point begun) {
  return std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - begun);
}

/// An interrupted program either tells how to go on, or has not said anything yet, or was done.
void check_interrupted(const program_result& result) {
  INFO(result.err);
  if (result.code == 130)
    REQUIRE_THAT(result.err, lk::parallel::testing::contains("; to go on: "));
  else if (result.code == -1)
    REQUIRE(result.err.empty());
  else
    REQUIRE(result.code == 0);
}

/// Kills jobs of a program, few times at least, and checks what they write against the output of one that nobody kills.
/// Every fourth is interrupted instead.
void check_killed_jobs(const char* program_variable, const words& arguments, std::uint64_t few) {
  const auto command = [&](const std::string& out) {
    return command_of(program_variable, arguments + words{"--out", out});
  };
  const auto first_begun = clock::now();
  const std::string reference = output_of(program_variable, arguments);
  auto whole = time_since(first_begun); // the shortest uninterrupted run
  const std::uint64_t n_wanted = number_from("LK_PARALLEL_KILLS", few), seed = number_from("LK_PARALLEL_SEED", 1);
  CAPTURE(program_variable, seed);
  random_source random(seed);
  std::map<std::string, int> kills_in;
  std::uint64_t n_kills = 0, n_interrupts = 0, n_jobs = 0;
  for (; n_kills < n_wanted; ++n_jobs) {
    const scratch_folder folder;
    const std::string out = folder.file("out.csv");
    for (bool done = false; !done;) {
      const job_state before(out);
      const auto begun = clock::now();
      program running(command(out));
      const bool in_peace = n_kills == n_wanted, gently = !in_peace && random.below(4) == 0;
      if (!in_peace) wait_for_moment(running, out, random, whole);
      if (gently) running.interrupt();
      const program_result result = running.finish(std::chrono::seconds(in_peace || gently ? 120 : 0));
      if (gently) check_interrupted(result);
      if (result.code == 0) {
        done = true;
        if (before.log.empty()) whole = std::min(whole, time_since(begun));
      } else if (gently) {
        ++n_interrupts;
      } else {
        INFO(result.err);
        REQUIRE(result.code == -1);
        ++kills_in[job_state(out).phase_after(before)];
        ++n_kills;
      }
      if (fs::exists(out)) REQUIRE((content_of(out) == reference));
    }
    REQUIRE((content_of(out) == reference));
    REQUIRE(folder.files().size() == 3); // with the journal and the manifest
  }
  std::cout << program_variable << ": " << n_kills << " kills and " << n_interrupts << " interrupts in " << n_jobs
            << " jobs, seed " << seed << '\n';
  for (const auto& [phase, n] : kills_in) std::cout << "  " << n << ' ' << phase << '\n';
}

/// Each kill costs a start.
constexpr std::uint64_t some_kills(std::uint64_t few) { return lk::parallel::testing::under_sanitizer ? few / 3 : few; }

const words two_workers{"--execution", "processes", "--jobs", "2", "--checkpoint", "0.01"};

} // namespace

TEST_CASE("recommendations that are killed at random moments are the bytes of those that are not", "[kill]") {
  const words job{"--users",    "2000", "--items",  "1500", "--n-ratings", "60000",
                  "--features", "8",    "--epochs", "2",    "--n",         "50"};
  check_killed_jobs("BATCH_RECOMMEND", job + two_workers, some_kills(20));
}

TEST_CASE("predictions that are killed at random moments are the bytes of those that are not", "[kill]") {
  const scratch_folder folder;
  std::string pairs = "user,item\n";
  for (int at = 0; at < 60'000; ++at)
    pairs += std::to_string(1 + at / 3 % 300) + "," + std::to_string(1 + at * 7 % 400) + "\n";
  const words job{"--users",     "300",   "--items", "400",
                  "--n-ratings", "12000", "--pairs", folder.file("pairs.csv", pairs)};
  check_killed_jobs("BATCH_PREDICT", job + two_workers, some_kills(12));
}

TEST_CASE("a merge that is killed at random moments writes the bytes of the whole job", "[kill]") {
  const words job{"--users",     "2000",    "--items", "1500", "--n-ratings", "60000",
                  "--algorithm", "popular", "--n",     "300",  "--execution", "sequential"};
  const scratch_folder folder;
  words shards;
  for (const std::string part : {"1", "2", "3"}) {
    REQUIRE(
        run_program("BATCH_RECOMMEND", job + words{"--shard", part + "/3", "--out", folder.file("lists.csv")}).code ==
        0);
    shards.push_back(folder.file("lists.csv.shard-" + part + "-of-3"));
  }
  REQUIRE((output_of("BATCH_MERGE", shards) == output_of("BATCH_RECOMMEND", job)));
  check_killed_jobs("BATCH_MERGE", shards + words{"--checkpoint", "0.001"}, some_kills(20));
}
