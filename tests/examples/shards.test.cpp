// lk-parallel | SPDX-License-Identifier: MIT

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <recsys/shard.hpp>
#include <support/catch.hpp>

#include "program.hpp"
#include "scratch_folder.hpp"

// Jobs in parts, and the program that puts them together. ctest hands over the paths of the programs in
// BATCH_RECOMMEND and BATCH_MERGE.

using namespace recsys;
using namespace recsys::testing;
using lk::parallel::testing::contains;
namespace fs = std::filesystem;

namespace {

struct data_size {
  std::string users = "301", ratings = "12000";
};

program_result recommend(const std::string& out, const words& more, const data_size& data = {}) {
  return run_program("BATCH_RECOMMEND",
                     words{"--users", data.users, "--items", "400", "--n-ratings", data.ratings, "--features", "8",
                           "--epochs", "2", "--n", "20", "--execution", "sequential", "--out", out} +
                         more);
}

words shards_in(const scratch_folder& folder, int n, const words& more = {}, const data_size& data = {}) {
  words files;
  for (int i = 1; i <= n; ++i) {
    const std::string which = std::to_string(i);
    const words part{"--shard", which + "/" + std::to_string(n)};
    const program_result result = recommend(folder.file("lists.csv"), part + more, data);
    INFO(result.err);
    REQUIRE(result.code == 0);
    files.push_back(folder.file("lists.csv.shard-" + which + "-of-" + std::to_string(n)));
    REQUIRE(fs::exists(files.back()));
  }
  return files;
}

program_result merge(const words& files, const std::string& out) {
  return run_program("BATCH_MERGE", files + words{"-o", out});
}

} // namespace

TEST_CASE("a shard is I/N and nothing else", "[shard]") {
  CHECK((parse_shard("1/1") == shard{1, 1}));
  CHECK((parse_shard("8/8") == shard{8, 8}));
  for (const char* wrong :
       {"", "1", "0/2", "3/2", "1/0", "-1/2", "1/2x", " 1/2", "1 /2", "1/1000001", "1/99999999999999999999"})
    CHECK_FALSE(parse_shard(wrong));
}

TEST_CASE("the blocks of all shards are all tasks, in order and of like size", "[shard]") {
  for (std::size_t n_tasks = 0; n_tasks < 40; ++n_tasks)
    for (std::size_t of = 1; of < 12; ++of) {
      std::size_t expected = 0;
      for (std::size_t index = 1; index <= of; ++index) {
        const task_block block = block_of({index, of}, n_tasks);
        REQUIRE(block.begin == expected);
        REQUIRE(block.size() >= n_tasks / of);
        REQUIRE(block.size() <= n_tasks / of + 1);
        expected = block.end;
      }
      REQUIRE(expected == n_tasks);
    }
}

TEST_CASE("merged shards are the bytes of the whole job", "[shard]") {
  const scratch_folder folder;
  REQUIRE(recommend(folder.file("whole.csv"), {}).code == 0);
  words files = shards_in(folder, 3);
  std::swap(files[0], files[2]);
  const program_result result = merge(files, folder.file("lists.csv"));
  INFO(result.err);
  REQUIRE(result.code == 0);
  CHECK(result.out == folder.file("lists.csv") + ": 3 shards\n");
  CHECK((content_of(folder.file("lists.csv")) == content_of(folder.file("whole.csv"))));
  const auto merged = nlohmann::json::parse(content_of(folder.file("lists.csv.manifest.json")));
  const auto whole = nlohmann::json::parse(content_of(folder.file("whole.csv.manifest.json")));
  for (const char* same : {"job", "inputs", "shard", "tasks", "counts"}) CHECK((merged.at(same) == whole.at(same)));
  for (const char* same : {"bytes", "crc64", "rows", "header"})
    CHECK((merged.at("output").at(same) == whole.at("output").at(same)));
  CHECK(merge(files, folder.file("lists.csv")).out ==
        folder.file("lists.csv") + " is complete; to make it again: --fresh\n");
}

TEST_CASE("more shards than tasks are merged, too", "[shard]") {
  const data_size two_users{"2", "400"};
  const scratch_folder folder;
  REQUIRE(recommend(folder.file("whole.csv"), {}, two_users).code == 0);
  REQUIRE(merge(shards_in(folder, 3, {}, two_users), folder.file("lists.csv")).code == 0);
  CHECK((content_of(folder.file("lists.csv")) == content_of(folder.file("whole.csv"))));
}

TEST_CASE("shards that do not make a whole job are refused, and nothing is written", "[shard]") {
  const scratch_folder folder;
  const words files = shards_in(folder, 3);
  const std::string out = folder.file("merged.csv");
  const auto refused = [&](const words& some) {
    const program_result result = merge(some, out);
    CHECK(result.code == 2);
    CHECK_FALSE(fs::exists(out));
    return result.err;
  };
  CHECK_THAT(refused({files[1]}), contains("of 3 shards are missing: 1 3\n"));
  CHECK_THAT(refused({files[0], files[1], files[1], files[2]}), contains("shard-2-of-3 is there twice"));
  const scratch_folder other;
  const words of_other_seed = shards_in(other, 3, {"--seed", "2"});
  CHECK_THAT(refused({files[0], of_other_seed[1], files[2]}), contains("is of another job"));
  CHECK_THAT(refused({files[0], shards_in(folder, 2)[1]}), contains("is cut in another way"));
  folder.file("lists.csv.shard-2-of-3", content_of(files[1]) + "1,1,1,1\n");
  CHECK_THAT(refused(files), contains("shard-2-of-3 has been changed since it was complete"));
  fs::remove(files[1]);
  CHECK_THAT(refused(files), contains("shard-2-of-3 is not a file, but it has a manifest"));
  fs::remove(files[1] + ".manifest.json");
  CHECK_THAT(refused(files), contains("shard-2-of-3 is not complete"));
}

TEST_CASE("a manifest that no shard can have is refused", "[shard]") {
  const scratch_folder folder;
  const words files = shards_in(folder, 2);
  const auto good = nlohmann::json::parse(content_of(files[0] + ".manifest.json"));
  const auto refused = [&](const char* place, const nlohmann::json& value) {
    auto bad = good;
    bad[nlohmann::json::json_pointer(place)] = value;
    folder.file("lists.csv.shard-1-of-2.manifest.json", bad.dump());
    const program_result result = merge(files, folder.file("merged.csv"));
    INFO(place << " " << value << "\n" << result.err);
    CHECK(result.code == 2);
    CHECK(result.err.size() < 1000);
    CHECK_THAT(result.err, contains("shard"));
    CHECK_FALSE(fs::exists(folder.file("merged.csv.journal")));
  };
  for (const nlohmann::json& value : {nlohmann::json(0), nlohmann::json(-1), nlohmann::json(3), nlohmann::json(1e300),
                                      nlohmann::json("1"), nlohmann::json(nullptr)})
    refused("/shard/index", value);
  for (const nlohmann::json& value : {nlohmann::json(0), nlohmann::json(1'000'000), nlohmann::json(~std::uint64_t{0})})
    refused("/shard/of", value);
  refused("/tasks/of", ~std::uint64_t{0});
  refused("/tasks/begin", 1);
  refused("/output/crc64", "no number");
  refused("/output/crc64", "ffffffffffffffffff");
  refused("/output/bytes", 3);
  refused("/output/rows", "many");
  refused("/job/seed", 1);
  refused("/job", nlohmann::json::array({1}));
  refused("/format", "another");
}

TEST_CASE("a merge replaces none of its shards", "[shard]") {
  const scratch_folder folder;
  const words files = shards_in(folder, 2);
  const std::string before = content_of(files[1]);
  fs::remove(files[1] + ".journal"); // else its job is another one
  const program_result result = merge(files, files[1]);
  CHECK(result.code == 2);
  CHECK_THAT(result.err, contains("--out would replace " + files[1]));
  CHECK((content_of(files[1]) == before));
}
