// lk-parallel | SPDX-License-Identifier: MIT

#include <chrono>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <support/catch.hpp>
#include <support/short_files.hpp>

#include "program.hpp"
#include "scratch_folder.hpp"

// The program from outside: what it writes, says and leaves. ctest hands over its path in BATCH_RECOMMEND, and a real
// ratings file in LK_PARALLEL_RATINGS where there is one.

using namespace recsys::testing;
using lk::parallel::testing::contains;

namespace {

words command(const words& arguments) { return command_of("BATCH_RECOMMEND", arguments); }

program_result run(const words& arguments, const words& knobs = {}) {
  return run_program("BATCH_RECOMMEND", arguments, knobs);
}

std::string lists_of(const words& arguments, const words& knobs = {}) {
  return output_of("BATCH_RECOMMEND", arguments, knobs);
}

const words small{"--users",    "300", "--items",  "400", "--n-ratings", "12000",
                  "--features", "8",   "--epochs", "3",   "--n",         "20"};

void check_same_lists_in_every_place(const words& arguments) {
  const std::string sequential = lists_of(arguments + words{"--execution", "sequential"});
  CHECK(sequential.starts_with("user,rank,item,score\n1,1,"));
  CHECK((lists_of(arguments + words{"--execution", "sequential"}, {"LK_NUM_THREADS=1"}) == sequential));
  CHECK((lists_of(arguments + words{"--execution", "sequential"}, {"LK_NUM_THREADS=3"}) == sequential));
  CHECK((lists_of(arguments + words{"--execution", "threads", "--jobs", "2"}) == sequential));
  for (const char* jobs : {"1", "2", "3"})
    CHECK((lists_of(arguments + words{"--execution", "processes", "--jobs", jobs}) == sequential));
}

int count_of(const std::string& part, const std::string& text) {
  int n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

} // namespace

TEST_CASE("the lists are the same bytes for sequential, threads and processes", "[batch_recommend]") {
  check_same_lists_in_every_place(small);
}

TEST_CASE("the lists of real ratings are the same bytes for sequential, threads and processes", "[batch_recommend]") {
  const std::string ratings = setting("LK_PARALLEL_RATINGS");
  if (ratings.empty()) {
    WARN("skipped: configure with -DLK_PARALLEL_RATINGS=FILE to run on real ratings");
    return;
  }
  check_same_lists_in_every_place({"--ratings", ratings, "--epochs", "2"});
}

TEST_CASE("the lists of every algorithm are the same bytes for any number of threads and workers",
          "[batch_recommend]") {
  for (const char* algorithm : {"als-explicit", "popular", "item-knn"}) {
    INFO(algorithm);
    const words arguments = small + words{"--algorithm", algorithm};
    const std::string lists = lists_of(arguments + words{"--execution", "sequential"}, {"LK_NUM_THREADS=1"});
    CHECK(lists.starts_with("user,rank,item,score\n1,1,"));
    CHECK((lists_of(arguments + words{"--execution", "processes", "--jobs", "2"}, {"LK_NUM_THREADS=3"}) == lists));
  }
}

TEST_CASE("candidates, a list of users and seen items shape the lists", "[batch_recommend]") {
  const scratch_folder folder;
  const std::string items = folder.file("items.txt", "item\n7\n3\n3\n5\n"), users = folder.file("users.txt", "12\n4\n");
  const words asked = small + words{"--candidates", items, "--user-list", users, "--algorithm", "popular"};
  const std::string with_seen = lists_of(asked + words{"--include-seen"});
  const auto column = [](const std::string& rows, std::size_t n) {
    std::vector<std::string> values;
    std::istringstream lines(rows);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      std::string value;
      for (std::size_t field = 0; field <= n; ++field) std::getline(fields, value, ',');
      values.push_back(value);
    }
    return values;
  };
  CHECK(column(with_seen, 0) == words{"user", "12", "12", "12", "4", "4", "4"});
  CHECK(column(with_seen, 1) == words{"rank", "1", "2", "3", "1", "2", "3"});
  for (const std::string& item : column(with_seen, 2))
    CHECK((item == "item" || item == "3" || item == "5" || item == "7"));
  CHECK(lists_of(asked).size() <= with_seen.size());
}

TEST_CASE("unknown users and candidates follow the policy for bad rows", "[batch_recommend]") {
  const scratch_folder folder;
  const std::string users = folder.file("users.txt", "4\n999999\n");
  const words asked = small + words{"--user-list", users, "--out", folder.file("lists.csv")};
  const program_result refused = run(asked);
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, contains(users + ":2: user 999999 has no ratings"));
  CHECK(folder.files().size() == 1);
  const program_result skipped = run(asked + words{"--on-bad-row", "skip"});
  CHECK(skipped.code == 0);
  CHECK_THAT(skipped.err, contains("[warning] " + users + ":2: user 999999 has no ratings; left out"));
  CHECK_THAT(skipped.out, contains("left out  1 bad row\n"));
}

TEST_CASE("saved ratings give the same lists when they are read back", "[batch_recommend]") {
  const scratch_folder folder;
  const std::string saved = folder.file("ratings.csv");
  const words model{"--features", "8", "--epochs", "3", "--n", "20"};
  const std::string generated = lists_of(small + words{"--save-ratings", saved});
  CHECK(content_of(saved).starts_with("userId,movieId,rating,timestamp\n1,"));
  CHECK((lists_of(words{"--ratings", saved} + model) == generated));
}

TEST_CASE("the summary says what was done and where the lists are", "[batch_recommend]") {
  const scratch_folder folder;
  const words place{"--out", folder.file("lists.csv"), "--execution", "processes", "--jobs", "2"};
  const program_result result = run(small + place, {"LK_NUM_THREADS=2"});
  CHECK(result.code == 0);
  for (const char* part :
       {"12,000 ratings of 300 users and 400 items", "processes 2, threads 2", "8 features, 3 epochs",
        "2 worker processes", "users per second", " MiB ", "lists.csv: 6,000 rows"})
    CHECK_THAT(result.out, contains(part));
}

TEST_CASE("a worker warns of every list that is shorter than asked for", "[batch_recommend]") {
  const words few_items{"--users",    "60", "--items",  "70", "--n-ratings", "2100",
                        "--features", "4",  "--epochs", "1",  "--n",         "40"};
  for (const char* where : {"sequential", "threads", "processes"}) {
    const scratch_folder folder;
    const program_result result =
        run(few_items + words{"--execution", where, "--jobs", "2", "--out", folder.file("lists.csv")});
    INFO(where << '\n' << result.err);
    REQUIRE(result.code == 0);
    std::map<std::string, int> length_of;
    std::istringstream rows(content_of(folder.file("lists.csv")));
    std::string row;
    std::getline(rows, row); // the header
    while (std::getline(rows, row)) ++length_of[row.substr(0, row.find(','))];
    int n_short = 0;
    for (const auto& [user, length] : length_of) {
      if (length == 40) continue;
      ++n_short;
      const std::string told =
          "[warning] user " + user + " has only " + std::to_string(length) + " unseen items, fewer than 40";
      CHECK_THAT(result.err, contains(told));
    }
    CHECK(length_of.size() == 60);
    CHECK((n_short > 0 && n_short < 60));
    CHECK(count_of("[warning] user ", result.err) == n_short);
  }
}

TEST_CASE("a malformed line ends with code 2, is shown in full, and leaves no output", "[batch_recommend]") {
  const scratch_folder folder;
  const std::string ratings = folder.file("ratings.csv", "userId,movieId,rating,timestamp\n1,31,2.5,1\n1,32,good,2\n");
  const program_result result = run({"--ratings", ratings, "--out", folder.file("lists.csv")});
  CHECK(result.code == 2);
  CHECK(result.out.empty());
  CHECK(result.err == "batch_recommend: " + ratings +
                          ":3: \"1,32,good,2\" is not a rating: expected a rating from 0.5 to 5 in field 3\n");
  CHECK(folder.files().size() == 1);
}

TEST_CASE("options and knobs that are not usable end with code 2", "[batch_recommend]") {
  const scratch_folder folder;
  const words out{"--out", folder.file("lists.csv")};
  const std::string ratings = folder.file("ratings.dat", "1::2::3::4\n");
  CHECK(run(out + words{"--jobs", "0"}).code == 2);
  CHECK(run(out + words{"--execution", "elsewhere"}).code == 2);
  CHECK(run(out + words{"--checkpoint", "nan"}).code == 2);
  CHECK(run(out + words{"--bogus"}).code == 2);
  CHECK(run(out + words{"--n-ratings", "5"}).code == 2);
  CHECK(run(out + words{"--ratings", ratings, "--users", "9"}).code == 2);
  CHECK(run({"--ratings", ratings, "--out", ratings}).code == 2);
  CHECK(run({"--ratings", folder.file("none"), "--out", folder.file("lists.csv")}).code == 2);
  const program_result result = run(small + out, {"LK_NUM_THREADS=many"});
  CHECK(result.code == 2);
  CHECK_THAT(result.err, contains("LK_NUM_THREADS"));
  CHECK(folder.files().size() == 1);
  CHECK(run({"--help"}).code == 0);
}

TEST_CASE("an output folder that is not there ends with code 1 before any work", "[batch_recommend]") {
  const scratch_folder folder;
  const program_result result = run({"--epochs", "1000000", "--out", folder.file("none/lists.csv")});
  CHECK(result.code == 1);
  CHECK_THAT(result.err, contains("none/lists.csv failed: No such file or directory; make the folder first"));
}

TEST_CASE("Ctrl-C in training ends with code 130 and leaves no output", "[batch_recommend]") {
  const scratch_folder folder;
  program running(command({"--epochs", "1000000", "--out", folder.file("lists.csv")}));
  REQUIRE(program::poll_until([&] { return !folder.files().empty(); }, std::chrono::seconds(60)));
  running.interrupt();
  const program_result result = running.finish();
  CHECK(result.code == 130);
  CHECK_THAT(result.err, contains("batch_recommend: interrupted before the first task of this run; to go on: "));
  CHECK(folder.files().empty());
}

TEST_CASE("Ctrl-C while workers score ends with code 130, and the same command goes on", "[batch_recommend]") {
  const words job{"--users",     "20000",     "--items",  "1000", "--n-ratings",  "400000",
                  "--features",  "4",         "--epochs", "1",    "--n",          "20",
                  "--execution", "processes", "--jobs",   "2",    "--checkpoint", "0.01"};
  const std::string whole = lists_of(job);
  const scratch_folder folder;
  const words all = job + words{"--out", folder.file("lists.csv")};
  program running(command(all));
  REQUIRE(program::poll_until([&] { return size_of(folder.file("lists.csv.part")) > 1000; }, std::chrono::seconds(60)));
  running.interrupt();
  const program_result result = running.finish();
  CHECK(result.code == 130);
  CHECK_THAT(result.err, contains(" of 20000 tasks are kept; to go on: " + command({})[0]));
  CHECK_THAT(result.err, contains("--checkpoint 0.01 --out " + folder.file("lists.csv") + "\n"));
  CHECK_FALSE(std::filesystem::exists(folder.file("lists.csv")));
  const program_result rest = run(all);
  CHECK(rest.code == 0);
  CHECK_THAT(rest.out, contains(" kept from before\n"));
  CHECK_THAT(rest.out, contains("lists.csv: 400,000 rows\n"));
  CHECK((content_of(folder.file("lists.csv")) == whole));
}

TEST_CASE("a complete job is not done again, one with other settings is refused, --fresh starts over",
          "[batch_recommend]") {
  const scratch_folder folder;
  const words all = small + words{"--execution", "sequential", "--out", folder.file("lists.csv")};
  REQUIRE(run(all).code == 0);
  const std::string first = content_of(folder.file("lists.csv"));
  const program_result again = run(all);
  CHECK(again.code == 0);
  CHECK_THAT(again.out, contains("lists.csv is complete; to make it again: --fresh\n"));
  const program_result other = run(all + words{"--seed", "2"});
  CHECK(other.code == 2);
  CHECK_THAT(other.err, contains("seed was \"1\" and is \"2\""));
  CHECK((content_of(folder.file("lists.csv")) == first));
  CHECK(run(all + words{"--seed", "2", "--fresh"}).code == 0);
  CHECK((content_of(folder.file("lists.csv")) != first));
}

TEST_CASE("a full disk ends with code 1 and a remedy, and the job goes on when there is room", "[batch_recommend]") {
  const std::string whole = lists_of(small);
  const scratch_folder folder;
  const words all = small + words{"--execution", "sequential", "--checkpoint", "0", "--out", folder.file("lists.csv")};
  {
    const lk::parallel::testing::short_files full_disk(100'000);
    const program_result result = run(all);
    CHECK(result.code == 1);
    CHECK_THAT(result.err, contains("lists.csv.part failed: File too large; raise the limit"));
    CHECK_FALSE(std::filesystem::exists(folder.file("lists.csv")));
  }
  CHECK(run(all).code == 0);
  CHECK((content_of(folder.file("lists.csv")) == whole));
}

TEST_CASE("the name of an output may be any bytes", "[batch_recommend]") {
  const scratch_folder folder;
  const std::string out = folder.file("caf\xe9.csv");
  const program_result result = run(small + words{"--execution", "sequential", "--out", out});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(std::filesystem::exists(out));
  CHECK_THAT(content_of(out + ".manifest.json"), contains("caf\xef\xbf\xbd.csv"));
}

TEST_CASE("an output that can have no manifest is refused before any work, and leaves nothing", "[batch_recommend]") {
  const scratch_folder folder;
  const auto refused = [&](const std::string& out, const std::string& sentence) {
    const program_result result = run({"--epochs", "1000000", "--out", out});
    CHECK(result.code == 2);
    CHECK_THAT(result.err, contains(sentence));
  };
  refused(folder.file(std::string(240, 'n')), "the name is too long, since .manifest.json.new is added to it");
  CHECK(folder.files().empty());
  std::filesystem::create_directory(folder.file("lists.csv.manifest.json"));
  refused(folder.file("lists.csv"), "lists.csv.manifest.json is not a file, but the manifest has this name");
  CHECK(folder.files().size() == 1);
}

TEST_CASE("a summary that cannot be printed ends with code 1, and the lists are there", "[batch_recommend]") {
  const scratch_folder folder;
  const words all = command(small + words{"--execution", "sequential", "--out", folder.file("lists.csv")});
  for (const char* which : {"the first time", "when the lists are complete"}) {
    INFO(which);
    const program_result result = program(redirected(">/dev/full", all)).finish();
    CHECK(result.code == 1);
    CHECK_THAT(result.err, contains("standard output cannot be written: No space left on device\n"));
    CHECK(std::filesystem::exists(folder.file("lists.csv")));
  }
}

TEST_CASE("no file that is read is written", "[batch_recommend]") {
  const scratch_folder folder;
  const std::string header = "userId,movieId,rating\n1,2,3\n";
  const auto refused = [&](const words& arguments, const std::string& sentence) {
    const program_result result = run(arguments);
    CHECK(result.code == 2);
    CHECK_THAT(result.err, contains(sentence));
  };
  for (const char* suffix : {"", ".part", ".journal", ".manifest.json"}) {
    const std::string ratings = folder.file(std::string("lists.csv") + suffix, header);
    refused({"--ratings", ratings, "--out", folder.file("lists.csv")}, "--out would replace the file of --ratings");
    CHECK(content_of(ratings) == header);
    std::filesystem::remove(ratings);
  }
  const std::string users = folder.file("users.txt", "1\n");
  refused(small + words{"--user-list", users, "--save-ratings", users, "--out", folder.file("lists.csv")},
          "--save-ratings would replace the file of --user-list");
  refused(small + words{"--save-ratings", folder.file("./lists.csv"), "--out", folder.file("lists.csv")},
          "--out would replace the file of --save-ratings");
  refused(small + words{"--save-ratings", "./no-such.csv", "--out", "no-such.csv"},
          "--out would replace the file of --save-ratings");
  CHECK(content_of(users) == "1\n");
  CHECK(folder.files().size() == 1);
}
