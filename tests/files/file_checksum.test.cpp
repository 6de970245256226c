// lk-parallel | SPDX-License-Identifier: MIT

#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/files/crc64.hpp>
#include <lk/parallel/files/file_checksum.hpp>
#include <support/catch.hpp>
#include <support/file_text.hpp>
#include <support/temporary_folder.hpp>

using namespace lk::parallel;
using lk::parallel::testing::written;

TEST_CASE("a checksum is the same in any pieces", "[fingerprint]") {
  std::string text;
  for (int i = 0; i < 100; ++i) text += static_cast<char>(i * 37);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    files::crc64 sum;
    sum.add(std::string_view(text).substr(0, cut));
    sum.add(std::string_view(text).substr(cut));
    CHECK(sum.value() == files::crc64_of(text));
  }
}

TEST_CASE("every changed bit changes the checksum", "[fingerprint]") {
  std::string text = "user,rank,item,score\n";
  const auto before = files::crc64_of(text);
  for (std::size_t at = 0; at < text.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      text[at] = static_cast<char>(text[at] ^ (1 << bit));
      CHECK(files::crc64_of(text) != before);
      text[at] = static_cast<char>(text[at] ^ (1 << bit));
    }
}

TEST_CASE("a fingerprint has the size and the checksum of the whole file", "[fingerprint]") {
  const testing::temporary_folder folder;
  const std::string text(3'000'000, 'x');
  const auto found = fingerprint(written(folder.path() / "long", text));
  CHECK(found == file_fingerprint{text.size(), files::crc64_of(text)});
  CHECK(to_string(fingerprint(written(folder.path() / "check", "123456789"))) == "9 bytes, crc64 995dc9bbdf1939fa");
  CHECK(fingerprint(written(folder.path() / "empty", "")) == file_fingerprint{0, 0});
}

TEST_CASE("a file that cannot be read is an error that names it", "[fingerprint]") {
  try {
    fingerprint("/nowhere/ratings.csv");
    FAIL("read");
  } catch (const resource_error& e) {
    CHECK(e.errno_code == ENOENT);
    CHECK_THAT(e.what(), testing::contains("/nowhere/ratings.csv"));
  }
}
