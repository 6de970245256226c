// lk-parallel | SPDX-License-Identifier: MIT

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <support/catch.hpp>

#include <recsys/job_identity.hpp>

#include "scratch_folder.hpp"

using namespace recsys;
using recsys::testing::scratch_folder;

TEST_CASE("an input that is written while it is read is an error", "[identity]") {
  const scratch_folder folder;
  const std::string path = folder.file("ratings.csv", "userId,movieId,rating\n");
  job_identity job("batch_predict", {});
  job.input("ratings", path);
  CHECK_NOTHROW(job.check_inputs_at_rest());
  std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(1));
  CHECK_THROWS_WITH(job.check_inputs_at_rest(),
                    path + " was changed while it was read; start again when it is complete");
  std::filesystem::remove(path);
  CHECK_THROWS_AS(job.check_inputs_at_rest(), std::invalid_argument);
}
