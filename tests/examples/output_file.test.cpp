// lk-parallel | SPDX-License-Identifier: MIT

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include <support/catch.hpp>
#include <support/short_files.hpp>

#include <recsys/output_file.hpp>

#include "scratch_folder.hpp"

using namespace recsys;
using recsys::testing::content_of;
using recsys::testing::scratch_folder;

TEST_CASE("a committed file has its name, its content and the usual permissions", "[output_file]") {
  const scratch_folder folder;
  {
    output_file file(folder.file("out.csv"));
    file << "a," << std::int64_t{-7} << "," << 0.1f << "," << 1.0f << "," << 1e-9f << "\n";
    CHECK_FALSE(std::filesystem::exists(folder.file("out.csv")));
    file.commit();
  }
  CHECK(content_of(folder.file("out.csv")) == "a,-7,0.1,1,1e-09\n");
  CHECK(folder.files().size() == 1);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  CHECK(static_cast<mode_t>(std::filesystem::status(folder.file("out.csv")).permissions()) == (0666 & ~mask));
}

TEST_CASE("without a commit nothing is left and the old file stays", "[output_file]") {
  const scratch_folder folder;
  folder.file("old.csv", "old");
  { output_file(folder.file("new.csv")) << "half"; }
  { output_file(folder.file("old.csv")) << "half"; }
  CHECK(folder.files().size() == 1);
  CHECK(content_of(folder.file("old.csv")) == "old");
}

TEST_CASE("text longer than the buffer arrives whole", "[output_file]") {
  const scratch_folder folder;
  std::string expected;
  output_file file(folder.file("long.csv"));
  for (int line = 0; line < 100'000; ++line) {
    file << line << "\n";
    expected += std::to_string(line) + "\n";
  }
  file.commit();
  CHECK(content_of(folder.file("long.csv")) == expected);
}

TEST_CASE("a link is written through, and what is no file is refused", "[output_file]") {
  const scratch_folder folder;
  folder.file("real.csv", "old");
  std::filesystem::create_symlink("real.csv", folder.file("link.csv"));
  output_file file(folder.file("link.csv"));
  file << "new";
  file.commit();
  CHECK(content_of(folder.file("real.csv")) == "new");
  CHECK(std::filesystem::is_symlink(folder.file("link.csv")));
  CHECK_THROWS_AS(output_file(folder.file("")), std::invalid_argument);
  CHECK_THROWS_AS(output_file("/dev/null"), std::invalid_argument);
  CHECK_THROWS_AS(output_file(folder.file("none/out.csv")), std::system_error);
}

TEST_CASE("a disk that takes no more is an error, and nothing is left", "[output_file]") {
  const scratch_folder folder;
  std::error_code found;
  {
    const lk::parallel::testing::short_files full_disk(4096);
    try {
      output_file file(folder.file("big.csv"));
      file << std::string(10'000, 'x');
      file.commit();
    } catch (const std::system_error& e) {
      found = e.code();
    }
  }
  CHECK(found == std::errc::file_too_large);
  CHECK(folder.files().empty());
}
