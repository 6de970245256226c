// lk-parallel | SPDX-License-Identifier: MIT

#include <signal.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <support/catch.hpp>
#include <support/procfs.hpp>
#include <support/short_files.hpp>

#include <recsys/holdout.hpp>
#include <recsys/ratings_reader.hpp>

#include "program.hpp"
#include "scratch_folder.hpp"

// The program from outside. ctest hands over its path in EVALUATE, and a real ratings file in LK_PARALLEL_RATINGS where
// there is one.

using namespace recsys::testing;
using lk::parallel::testing::Approx;
using lk::parallel::testing::contains;
using nlohmann::json;
using recsys::rating;

namespace {

words command(const words& arguments) { return command_of("EVALUATE", arguments); }

program_result run(const words& arguments, const words& knobs = {}) {
  return run_program("EVALUATE", arguments, knobs);
}

const words small{"--users", "200", "--items", "250", "--n-ratings", "8000", "--replicates", "100"};
const words two_workers{"--execution", "processes", "--jobs", "2"};

/// What a run printed and wrote, without its times.
struct findings {
  std::string table;
  json results;
  std::string plot;
  friend bool operator==(const findings&, const findings&) = default;
};

findings findings_of(const words& arguments, const words& knobs = {}) {
  const scratch_folder folder;
  const program_result result =
      run(arguments + words{"--json", folder.file("found.json"), "--svg", folder.file("found.svg")}, knobs);
  INFO(result.err);
  REQUIRE(result.code == 0);
  findings found{result.out.substr(0, result.out.find("\ntime ")), json::parse(content_of(folder.file("found.json"))),
                 content_of(folder.file("found.svg"))};
  for (json& model : found.results["models"]) model.erase("seconds");
  return found;
}

double value_of(const json& model, const char* metric) { return model["metrics"][metric]["value"].get<double>(); }

std::vector<int> children_of(int pid) {
  std::vector<int> children;
  for (const auto& process : lk::parallel::testing::all_processes())
    if (process.parent == pid) children.push_back(process.pid);
  return children;
}

/// The process that all workers come from, once it has some; 0 before.
int parent_of_workers(int host) {
  for (const int child : children_of(host))
    if (!children_of(child).empty()) return child;
  return 0;
}

/// Mean nDCG@10 and hit rate of the same list for everybody, without what each has rated, and the share of the test
/// ratings whose items are in the training data: from scratch.
struct popular_by_hand {
  popular_by_hand(const std::vector<rating>& ratings, float min_relevant) {
    const recsys::divided_ratings parts = recsys::hold_out(ratings, {});
    std::map<std::int64_t, int> raters;
    std::map<std::int64_t, std::set<std::int64_t>> seen, wanted;
    for (const rating& one : parts.training) {
      ++raters[one.item];
      seen[one.user].insert(one.item);
    }
    for (const rating& one : parts.test) {
      if (one.value >= min_relevant) wanted[one.user].insert(one.item);
      known += (raters.contains(one.item) ? 1 : 0) / static_cast<double>(parts.test.size());
    }
    std::vector<std::pair<int, std::int64_t>> order; // most raters first, then lower items
    for (const auto& [item, n] : raters) order.emplace_back(-n, item);
    std::sort(order.begin(), order.end());

    for (const auto& [user, items] : wanted) {
      std::size_t place = 0;
      double gain = 0, best = 0;
      for (const auto& [n, item] : order) {
        if (seen[user].contains(item)) continue;
        const double worth = place < 2 ? 1 : 1 / std::log2(static_cast<double>(place + 1));
        if (items.contains(item)) gain += worth;
        if (place < items.size()) best += worth;
        if (++place == 10) break;
      }
      ndcg += gain / best / static_cast<double>(wanted.size());
      hit_rate += (gain > 0 ? 1 : 0) / static_cast<double>(wanted.size());
    }
  }
  double ndcg = 0, hit_rate = 0, known = 0;
};

} // namespace

TEST_CASE("the results are the same for sequential, threads and processes, and any number of jobs", "[evaluate]") {
  const words models{"--grid", "features=4", "--grid", "epochs=2"};
  const findings sequential = findings_of(small + models + words{"--execution", "sequential"});
  CHECK_THAT(sequential.table, contains("8,000 ratings of 200 users and 250 items"));
  CHECK(sequential.results["models"].size() == 4);
  CHECK((findings_of(small + models + words{"--execution", "threads", "--jobs", "2"}) == sequential));
  for (const char* jobs : {"1", "2", "3"}) {
    const words place{"--execution", "processes", "--jobs", jobs};
    CHECK((findings_of(small + models + place, {"LK_NUM_THREADS=2"}) == sequential));
  }
  for (const char* jobs : {"1", "2"}) CHECK((findings_of(small + models + words{"--jobs", jobs}) == sequential));
}

TEST_CASE("another seed gives other results", "[evaluate]") {
  const words ratings{"--algorithms", "popular"};
  CHECK_FALSE((findings_of(small + ratings + words{"--seed", "2"}) == findings_of(small + ratings)));
}

TEST_CASE("the numbers of the popular items are those computed from scratch", "[evaluate]") {
  const words asked{"--algorithms", "popular,als-explicit", "--grid", "features=1", "--grid", "epochs=1"};
  for (const char* min_relevant : {"0", "5"}) {
    const scratch_folder folder;
    const std::string saved = folder.file("ratings.csv");
    const findings found = findings_of(small + asked + words{"--save-ratings", saved, "--min-relevant", min_relevant});
    const popular_by_hand expected(recsys::read_ratings(saved), std::strtof(min_relevant, nullptr));
    const json& popular = found.results["models"][0];
    CHECK(value_of(popular, "ndcg") == Approx(expected.ndcg));
    CHECK(value_of(popular, "hit_rate") == Approx(expected.hit_rate));
    CHECK(popular["metrics"]["rmse"]["value"].is_null());
    CHECK(value_of(popular, "coverage") == 0);
    CHECK(value_of(found.results["models"][1], "coverage") == Approx(expected.known));
    CHECK((expected.ndcg > 0.01 && expected.known > 0.9));
  }
}

TEST_CASE("an evaluation of real ratings finds what is known about them", "[evaluate]") {
  const std::string ratings = setting("LK_PARALLEL_RATINGS");
  if (ratings.empty()) {
    WARN("skipped: configure with -DLK_PARALLEL_RATINGS=FILE to run on real ratings");
    return;
  }
  const findings found = findings_of(words{"--ratings", ratings, "--algorithms", "popular,als-implicit,als-explicit",
                                           "--grid", "features=16", "--grid", "epochs=5"} +
                                     two_workers);
  const json& models = found.results["models"];
  CHECK(value_of(models[1], "ndcg") > value_of(models[0], "ndcg"));
  CHECK(value_of(models[2], "rmse") > 0.75);
  CHECK(value_of(models[2], "rmse") < 1.0);
}

TEST_CASE("a model whose workers are lost is a row that says so, and the others go on", "[evaluate]") {
  const scratch_folder folder;
  const words slow{"--users",      "6000",   "--items",      "4000",         "--n-ratings",
                   "200000",       "--grid", "item-knn.k=9", "--algorithms", "item-knn,popular",
                   "--replicates", "10"};
  program running(command(slow + two_workers + words{"--json", folder.file("found.json")}));
  int victim = 0;
  REQUIRE(
      program::poll_until([&] { return (victim = parent_of_workers(running.pid())) != 0; }, std::chrono::seconds(60)));
  ::kill(victim, SIGKILL);
  const program_result result = running.finish();
  INFO(result.out << result.err);
  CHECK(result.code == 1);
  CHECK_THAT(result.err, contains("evaluate: 1 of 2 models failed\n"));
  CHECK_THAT(result.out, contains("\nitem-knn k=9  failed: "));
  const json found = json::parse(content_of(folder.file("found.json")));
  CHECK(found["complete"] == true);
  REQUIRE(found["models"].size() == 2);
  CHECK(found["models"][0]["status"] == "failed");
  CHECK(found["models"][1]["status"] == "done");
}

TEST_CASE("Ctrl-C writes the finished models, marks them as incomplete and ends with code 130", "[evaluate]") {
  const scratch_folder folder;
  program running(command(small + two_workers +
                          words{"--algorithms", "popular,als-implicit", "--grid", "epochs=1000000", "--json",
                                folder.file("found.json"), "--svg", folder.file("found.svg")}),
                  {"LK_PROGRESS=json"});
  REQUIRE(program::poll_until([&] { return running.err_so_far().find("\"finished\":1") != std::string::npos; },
                              std::chrono::seconds(60)));
  running.interrupt();
  const program_result result = running.finish();
  INFO(result.err);
  CHECK(result.code == 130);
  CHECK_THAT(result.err, contains("evaluate: interrupted after 1 of 2 models\n"));
  CHECK_THAT(result.out, contains("\ninterrupted: 1 of 2 models\n"));
  const json found = json::parse(content_of(folder.file("found.json")));
  CHECK(found["complete"] == false);
  CHECK(found["models"].size() == 1);
  CHECK(found["not_evaluated"] == json{"als-implicit epochs=1000000"});
  CHECK_THAT(content_of(folder.file("found.svg")), contains("interrupted after 1 model"));
  CHECK(folder.files().size() == 2);
}

TEST_CASE("Ctrl-C before the first model is finished leaves nothing", "[evaluate]") {
  const scratch_folder folder;
  program running(command(small + words{"--algorithms", "als-implicit", "--grid", "epochs=1000000", "--json",
                                        folder.file("found.json")}),
                  {"LK_PROGRESS=json"});
  REQUIRE(program::poll_until([&] { return running.err_so_far().find("als-implicit") != std::string::npos; },
                              std::chrono::seconds(60)));
  running.interrupt();
  const program_result result = running.finish();
  CHECK(result.code == 130);
  CHECK_THAT(result.err, contains("evaluate: interrupted, nothing was written\n"));
  CHECK(result.out.empty());
  CHECK(folder.files().empty());
}

TEST_CASE("options and ratings that are not usable end with code 2 and leave nothing", "[evaluate]") {
  const scratch_folder folder;
  const words out{"--json", folder.file("found.json")};
  const std::string few = folder.file("few.csv", "userId,movieId,rating\n1,2,3\n1,3,3\n2,2,4\n");
  const auto refused = [&](const words& arguments, const std::string& sentence) {
    const program_result result = run(out + arguments);
    INFO(result.err);
    CHECK(result.code == 2);
    CHECK_THAT(result.err, contains(sentence));
  };
  refused({"--algorithms", "svd"},
          "there is no algorithm svd; there are popular, item-knn, als-implicit, als-explicit");
  refused({"--grid", "colour=1"}, "--grid colour=1: none of the algorithms has this parameter");
  refused({"--grid", "features=0"}, "features is a whole number from 1 to 4096, not 0");
  for (const char* amount : {"0", "-1", "1.5", "nan", "1e30"})
    refused({"--holdout", amount}, "--holdout is a share above 0");
  refused({"--confidence", "1"}, "--confidence is above 0 and below 1");
  refused({"--svg", folder.file("found.json")}, "--json and --svg are one file");
  refused({"--ratings", few}, "no user has enough ratings to be tested (--min-ratings)");
  refused({"--ratings", folder.file("none.csv")}, "none.csv");
  CHECK(run(small + words{"--json", folder.file("no/such.json")}).code == 1);
  CHECK(folder.files().size() == 1);
  CHECK(run({"--help"}).code == 0);
}

TEST_CASE("a full disk ends with code 1 and leaves no file, but the table is printed", "[evaluate]") {
  const scratch_folder folder;
  const lk::parallel::testing::short_files full_disk(4096); // less than any plot
  const program_result result = run(small + words{"--algorithms", "popular", "--svg", folder.file("found.svg")});
  CHECK(result.code == 1);
  CHECK_THAT(result.err, contains("cannot write " + folder.file("found.svg") + ": File too large\n"));
  CHECK_THAT(result.out, contains("\npopular "));
  CHECK(folder.files().empty());
}

TEST_CASE("a closed stream is no file of the results", "[evaluate]") {
  const scratch_folder folder;
  const words asked =
      small + words{"--algorithms", "popular", "--json", folder.file("found.json"), "--svg", folder.file("found.svg")};
  CHECK(program(redirected("<&- >&- 2>&-", command(asked))).finish().code == 0);
  CHECK(json::parse(content_of(folder.file("found.json")))["complete"] == true);
  CHECK(content_of(folder.file("found.svg")).starts_with("<"));
  CHECK(program(redirected(">/dev/full", command(asked))).finish().code == 1);
}
