// lk-parallel | SPDX-License-Identifier: MIT

#include <cstddef>
#include <string>
#include <vector>

#include <lk/parallel/files/journal_text.hpp>
#include <support/catch.hpp>

using namespace lk::parallel::files;

namespace {

const identity job{{"seed", "1"}, {"a name", "spaces, 100 %\nand lines"}, {"empty", ""}, {"", "no name"}};

std::string text_with(const std::vector<checkpoint>& claims) {
  std::string text = header_text(job);
  crc64 header;
  header.add(text);
  for (const checkpoint& claim : claims) text += checkpoint_text(claim, header);
  return text;
}

const std::vector<checkpoint> claims{{1, {10, 0x12}, false}, {5, {70, ~std::uint64_t{0}}, false}, {5, {70, 3}, true}};

} // namespace

TEST_CASE("a journal's text reads back as what was written", "[journal_text]") {
  const auto found = read_journal(text_with(claims));
  REQUIRE(found);
  CHECK((found->job == job));
  REQUIRE(found->checkpoints.size() == claims.size());
  for (std::size_t i = 0; i < claims.size(); ++i) CHECK((found->checkpoints[i].claim == claims[i]));
  CHECK(found->checkpoints.back().end == text_with(claims).size());
}

TEST_CASE("of a text that is cut anywhere the whole lines count", "[journal_text]") {
  const std::string text = text_with(claims);
  const auto whole = read_journal(text);
  for (std::size_t length = 0; length <= text.size(); ++length) {
    CHECK(may_be_journal(text.substr(0, length)));
    const auto found = read_journal(text.substr(0, length));
    REQUIRE(found.has_value() == (length >= whole->header_end));
    if (!found) continue;
    std::size_t n_whole = 0;
    for (const auto& entry : whole->checkpoints) n_whole += entry.end <= length ? 1 : 0;
    CHECK(found->checkpoints.size() == n_whole);
  }
}

TEST_CASE("a changed byte ends a text there", "[journal_text]") {
  const std::string text = text_with(claims);
  const auto whole = read_journal(text);
  for (std::size_t at = 0; at < text.size(); ++at)
    for (const int change : {1, 0x20, 0xff}) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ change);
      const auto found = read_journal(changed);
      if (at < whole->header_end) {
        CHECK_FALSE(found);
        continue;
      }
      REQUIRE(found);
      std::size_t n_before = 0;
      for (const auto& entry : whole->checkpoints) n_before += entry.end <= at ? 1 : 0;
      CHECK(found->checkpoints.size() == n_before);
    }
}

TEST_CASE("a line of another job does not count", "[journal_text]") {
  const std::string other = header_text({{"seed", "2"}});
  const std::string lines = text_with(claims).substr(header_text(job).size());
  const auto found = read_journal(other + lines);
  REQUIRE(found);
  CHECK(found->checkpoints.empty());
}

TEST_CASE("a text that is no journal is known", "[journal_text]") {
  CHECK_FALSE(may_be_journal("user,rank,item,score\n"));
  CHECK_FALSE(may_be_journal("lk-parallel journal 2\n"));
}

TEST_CASE("differences between identities have names and both values", "[journal_text]") {
  const auto found =
      differences({{"seed", "1"}, {"n", "10"}, {"gone", "x"}}, {{"seed", "2"}, {"n", "10"}, {"new", "y"}});
  REQUIRE(found.size() == 3);
  CHECK((found[0].name == "seed" && found[0].before == "\"1\"" && found[0].now == "\"2\""));
  CHECK((found[1].name == "new" && found[1].before == "not there" && found[1].now == "\"y\""));
  CHECK((found[2].name == "gone" && found[2].before == "\"x\"" && found[2].now == "not there"));
  CHECK(differences(job, job).empty());
}
