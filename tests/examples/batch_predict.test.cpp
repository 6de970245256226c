// lk-parallel | SPDX-License-Identifier: MIT

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <support/catch.hpp>

#include <recsys/interactions.hpp>
#include <recsys/ratings_reader.hpp>

#include "brute_force_knn.hpp"
#include "program.hpp"
#include "scratch_folder.hpp"

// The program from outside. ctest hands over its path in BATCH_PREDICT.

using namespace recsys::testing;
using lk::parallel::testing::contains;

namespace {

words command(const words& arguments) { return command_of("BATCH_PREDICT", arguments); }

program_result run(const words& arguments, const words& knobs = {}) {
  return run_program("BATCH_PREDICT", arguments, knobs);
}

std::string predictions_of(const words& arguments, const words& knobs = {}) {
  return output_of("BATCH_PREDICT", arguments, knobs);
}

const words small{"--users", "200", "--items", "300", "--n-ratings", "9000"};

/// Every user with every third item, users that nobody knows, and items that nobody knows.
std::string many_pairs() {
  std::string text = "user,item\n";
  for (int item = 1; item <= 303; item += 3)
    for (int user = 1; user <= 202; user += 2) text += std::to_string(user) + "," + std::to_string(item) + "\n";
  return text;
}

} // namespace

TEST_CASE("the predictions of a file of pairs agree with dense float64 arithmetic, in the order of the pairs",
          "[batch_predict]") {
  const scratch_folder folder;
  const std::string saved = folder.file("ratings.csv"), pairs = many_pairs();
  std::istringstream rows(
      predictions_of(small + words{"--save-ratings", saved, "--pairs", folder.file("pairs", pairs)}));
  const recsys::interactions data = recsys::index_ratings(recsys::read_ratings(saved));
  const recsys::testing::brute_force_knn dense(data, 20, 1, 1e-6);
  std::vector<Eigen::VectorXd> expected;
  for (std::size_t item = 0; item < data.item_ids.size(); ++item)
    expected.push_back(dense.predictions_for(static_cast<Eigen::Index>(item)));

  std::istringstream asked(pairs);
  std::string row, pair;
  std::getline(rows, row);
  std::getline(asked, pair);
  REQUIRE(row == "user,item,prediction");
  std::size_t n_right = 0, n_none = 0;
  while (std::getline(asked, pair) && std::getline(rows, row)) {
    REQUIRE(row.starts_with(pair + ","));
    const std::string prediction = row.substr(pair.size() + 1);
    const std::size_t comma = pair.find(',');
    const auto user = recsys::number_of(data.user_ids, std::stoll(pair.substr(0, comma)));
    const auto item = recsys::number_of(data.item_ids, std::stoll(pair.substr(comma + 1)));
    const double right = user && item ? expected[*item][static_cast<Eigen::Index>(*user)] : NAN;
    if (std::isnan(right) ? prediction.empty() : !prediction.empty() && std::abs(std::stod(prediction) - right) < 1e-6)
      ++n_right;
    if (prediction.empty()) ++n_none;
  }
  CHECK(n_right == 101 * 101);
  CHECK(n_none >= 101 + 100); // the unknown user and the unknown item, at least
  CHECK_FALSE(std::getline(rows, row));
}

TEST_CASE("the predictions are the same bytes for any place, workers and threads", "[batch_predict]") {
  for (const char* algorithm : {"item-knn", "als-explicit"}) {
    const words asked = small + words{"--algorithm", algorithm, "--epochs", "3", "--features", "8"};
    const std::string sequential = predictions_of(asked + words{"--execution", "sequential"}, {"LK_NUM_THREADS=1"});
    CHECK(sequential.starts_with("user,item,prediction\n"));
    CHECK((predictions_of(asked + words{"--execution", "threads", "--jobs", "2"}) == sequential));
    CHECK(
        (predictions_of(asked + words{"--execution", "processes", "--jobs", "3"}, {"LK_NUM_THREADS=3"}) == sequential));
  }
}

TEST_CASE("without pairs, ratings are held back and predicted, and the summary says so", "[batch_predict]") {
  const scratch_folder folder;
  const program_result result = run(small + words{"--jobs", "2", "--out", folder.file("predictions.csv")});
  CHECK(result.code == 0);
  for (const char* part : {"ratings of 200 users", "item k-NN, 20 neighbours", "ratings that were held back",
                           "2 worker processes", "pairs per second", "none      for ", "predictions.csv: "})
    CHECK_THAT(result.out, contains(part));
}

TEST_CASE("models that predict nothing, bad pairs and options that are not usable end with code 2", "[batch_predict]") {
  const scratch_folder folder;
  const words out{"--out", folder.file("predictions.csv")};
  const std::string pairs = folder.file("pairs.csv", "user,item\n1,2\n1;3\n5,x\n3,4\n");
  CHECK(run(small + out + words{"--algorithm", "popular"}).code == 2);
  CHECK(run(small + out + words{"--min-sim", "0"}).code == 2);
  CHECK(run(small + out + words{"--min-nbrs", "5", "--k", "4"}).code == 2);
  CHECK(run(small + words{"--pairs", pairs, "--out", pairs}).code == 2);
  CHECK(run(small + out + words{"--pairs", folder.file("none")}).code == 2);
  const program_result refused = run(small + out + words{"--pairs", pairs});
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err,
             contains(pairs + ":3: \"1;3\" is not a pair: expected 2 fields separated by \",\": user, item"));
  CHECK(folder.files().size() == 1);
  const program_result skipped = run(small + out + words{"--pairs", pairs, "--on-bad-row", "skip"});
  CHECK(skipped.code == 0);
  CHECK_THAT(skipped.out, contains("left out  2 bad rows\n"));
  CHECK(content_of(folder.file("predictions.csv")).find("\n3,4,") != std::string::npos);
}

TEST_CASE("Ctrl-C while pairs are predicted ends with code 130, and the same command goes on", "[batch_predict]") {
  const scratch_folder folder;
  std::string text = "user,item\n";
  for (int at = 0; at < 200'000; ++at) text += std::to_string(1 + at % 200) + "," + std::to_string(1 + at % 300) + "\n";
  const words job = small + words{"--pairs", folder.file("pairs", text), "--checkpoint", "0.01", "--jobs", "2"};
  const std::string whole = predictions_of(job);
  const std::string out = folder.file("predictions.csv");
  program running(command(job + words{"--out", out}));
  REQUIRE(program::poll_until([&] { return size_of(out + ".part") > 1000; }, std::chrono::seconds(60)));
  running.interrupt();
  const program_result result = running.finish();
  CHECK(result.code == 130);
  CHECK_THAT(result.err, contains(" of 200000 tasks are kept; to go on: "));
  CHECK_FALSE(std::filesystem::exists(out));
  CHECK(run(job + words{"--out", out}).code == 0);
  CHECK((content_of(out) == whole));
}
