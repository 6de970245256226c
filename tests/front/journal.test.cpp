// lk-parallel | SPDX-License-Identifier: MIT

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <lk/parallel/journal.hpp>
#include <support/catch.hpp>
#include <support/file_text.hpp>
#include <support/in_child.hpp>
#include <support/short_files.hpp>
#include <support/temporary_folder.hpp>

// Built with fault points: a child can be killed before every step that changes the disk, and writes go in two halves.

using namespace lk::parallel;
using lk::parallel::testing::contains;
using lk::parallel::testing::in_child;
using lk::parallel::testing::temporary_folder;
using lk::parallel::testing::text_of;
using lk::parallel::testing::written;
namespace fs = std::filesystem;

namespace {

const journal_identity job{{"input", "12 bytes"}, {"seed", "1"}};
const journal_options on_request{.checkpoint_interval = std::chrono::hours(1)};

/// Records of different lengths, also empty ones and ones with line ends and zeros.
std::string record(std::uint64_t number) {
  std::string text;
  for (std::uint64_t i = 0; i < number % 4; ++i) text += "record " + std::to_string(number) + '\n';
  if (number % 5 == 4) text += '\0';
  return text;
}

std::string all_records(std::uint64_t n) {
  std::string text;
  for (std::uint64_t i = 0; i < n; ++i) text += record(i);
  return text;
}

void append_up_to(journal& to, std::uint64_t n) {
  while (to.n_records() < n) to.append(record(to.n_records()));
}

constexpr std::uint64_t n_all = 12;

/// A whole job with some checkpoints.
void do_job(const fs::path& target, const journal_options& options = on_request) {
  journal out(target, job, options);
  for (const std::uint64_t some : {std::uint64_t{3}, std::uint64_t{5}, n_all}) {
    if (out.is_complete()) return;
    append_up_to(out, some);
    out.flush();
  }
  out.commit("{}");
}

/// Leaves checkpoints at 3, 5 and 9 records behind, and no more.
void begin_job(const fs::path& target) {
  journal out(target, job, on_request);
  for (const std::uint64_t some : {3u, 5u, 9u}) {
    append_up_to(out, some);
    out.flush();
  }
}

fs::path beside(const fs::path& target, const char* suffix) { return target.string() + suffix; }

journal_error refusal_of(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const journal_error& e) {
    return e;
  }
  throw std::runtime_error("nothing was refused");
}

int steps_left; ///< until the child is killed

bool count_down(const char* name) noexcept {
  if (steps_left-- == 0) ::raise(SIGKILL);
  return std::string_view(name) == "write";
}

/// Runs fn in a child that is killed before step number `step`; false where it came to its end before.
bool killed_at(int step, const std::function<void()>& fn) {
  const auto result = in_child([&] {
    steps_left = step;
    base::at_fault_point = &count_down;
    fn();
    return 0;
  });
  if (result == testing::exited(0)) return false;
  REQUIRE(result == testing::killed(SIGKILL));
  return true;
}

} // namespace

TEST_CASE("an output has its name at the commit and not before", "[journal]") {
  const temporary_folder folder;
  const fs::path target = written(folder.path() / "out", "old");
  {
    journal out(target, job);
    CHECK_FALSE(out.is_complete());
    append_up_to(out, n_all);
    out.flush();
    CHECK(text_of(target) == "old");
    out.commit("{\"a\": 1}\n");
    CHECK(out.is_complete());
    CHECK(out.content() == fingerprint(target));
    CHECK_THROWS_AS(out.append("more"), usage_error);
    out.commit();
  }
  CHECK((text_of(target) == all_records(n_all)));
  CHECK(text_of(beside(target, ".manifest.json")) == "{\"a\": 1}\n");
  CHECK_FALSE(fs::exists(beside(target, ".part")));
}

TEST_CASE("a job without records gives an empty output", "[journal]") {
  const temporary_folder folder;
  journal(folder.path() / "out").commit();
  CHECK(fs::file_size(folder.path() / "out") == 0);
  CHECK(journal(folder.path() / "out").is_complete());
}

TEST_CASE("after a kill the job goes on at the last checkpoint", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  CHECK(in_child([&] {
          journal out(target, job, on_request);
          append_up_to(out, 5);
          out.flush();
          append_up_to(out, 8);
          ::raise(SIGKILL);
          return 0;
        }) == testing::killed(SIGKILL));
  journal out(target, job, on_request);
  CHECK(out.n_records() == 5);
  append_up_to(out, n_all);
  out.commit();
  CHECK((text_of(target) == all_records(n_all)));
}

TEST_CASE("the destructor makes a checkpoint", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  {
    journal out(target, job, on_request);
    append_up_to(out, 7);
  }
  CHECK(journal(target, job).n_records() == 7);
}

TEST_CASE("without an interval every record is a checkpoint", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  CHECK(in_child([&] {
          journal out(target, job, {.checkpoint_interval = std::chrono::milliseconds(0)});
          append_up_to(out, 7);
          ::raise(SIGKILL);
          return 0;
        }) == testing::killed(SIGKILL));
  CHECK(journal(target, job).n_records() == 7);
}

TEST_CASE("killed before any step, a job started again gives the same bytes", "[journal]") {
  for (const bool fresh : {false, true}) {
    int n_steps = 0;
    for (bool was_killed = true; was_killed; ++n_steps) {
      const temporary_folder folder;
      const fs::path target = written(folder.path() / "out", "old");
      if (fresh) begin_job(target);
      const auto options =
          fresh ? journal_options{.fresh = true, .checkpoint_interval = std::chrono::hours(1)} : on_request;
      was_killed = killed_at(n_steps, [&] { do_job(target, options); });
      const std::string after_kill = text_of(target);
      REQUIRE((after_kill == "old" || after_kill == all_records(n_all)));
      if (after_kill != "old") REQUIRE(fs::exists(beside(target, ".manifest.json")));
      do_job(target);
      REQUIRE((text_of(target) == all_records(n_all)));
      REQUIRE_FALSE(fs::exists(beside(target, ".part")));
    }
    CHECK(n_steps > 25);
  }
}

TEST_CASE("killed again while it goes on, a job gives the same bytes", "[journal]") {
  for (const int first : {12, 21, 30}) {
    bool was_killed = true;
    for (int second = 0; was_killed; second += 2) {
      const temporary_folder folder;
      const fs::path target = folder.path() / "out";
      killed_at(first, [&] { do_job(target); });
      was_killed = killed_at(second, [&] { do_job(target); });
      do_job(target);
      REQUIRE((text_of(target) == all_records(n_all)));
    }
  }
}

TEST_CASE("a journal that is cut at any byte goes on at its last whole line", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  begin_job(target);
  const std::string log = text_of(beside(target, ".journal")), part = text_of(beside(target, ".part"));
  const auto lines = files::read_journal(log)->checkpoints;
  for (std::size_t length = 0; length <= log.size(); ++length) {
    written(beside(target, ".journal"), log.substr(0, length));
    written(beside(target, ".part"), part);
    std::uint64_t expected = 0;
    for (const auto& [claim, end] : lines) expected = end <= length ? claim.records : expected;
    journal out(target, job, on_request);
    REQUIRE(out.n_records() == expected);
    append_up_to(out, 9);
    out.flush();
    REQUIRE((text_of(beside(target, ".part")) == part));
  }
}

TEST_CASE("a part that is cut or changed at any byte counts up to the checkpoint before", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  begin_job(target);
  const std::string log = text_of(beside(target, ".journal")), part = text_of(beside(target, ".part"));
  const auto lines = files::read_journal(log)->checkpoints;
  for (std::size_t at = 0; at < part.size(); ++at)
    for (const bool cut : {false, true}) {
      std::string damaged = part.substr(0, cut ? at : part.size());
      if (!cut) damaged[at] = static_cast<char>(damaged[at] ^ 1);
      written(beside(target, ".journal"), log);
      written(beside(target, ".part"), damaged);
      std::uint64_t expected = 0;
      for (const auto& entry : lines) expected = entry.claim.content.bytes <= at ? entry.claim.records : expected;
      journal out(target, job, on_request);
      REQUIRE(out.n_records() == expected);
      append_up_to(out, 9);
      out.flush();
      REQUIRE((text_of(beside(target, ".part")) == part));
    }
}

TEST_CASE("what lies behind the last checkpoint is dropped", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  begin_job(target);
  const std::string part = text_of(beside(target, ".part"));
  written(beside(target, ".part"), part + "half a rec");
  do_job(target);
  CHECK((text_of(target) == all_records(n_all)));
}

TEST_CASE("a part that is gone is begun again", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  begin_job(target);
  fs::remove(beside(target, ".part"));
  CHECK(journal(target, job).n_records() == 0);
}

TEST_CASE("another job is refused by the names of what changed, complete or not", "[journal]") {
  for (const bool complete : {false, true}) {
    const temporary_folder folder;
    const fs::path target = folder.path() / "out";
    if (complete)
      do_job(target);
    else
      begin_job(target);
    const auto refused = refusal_of([&] { journal(target, {{"input", "13 bytes"}, {"seed", "1"}, {"n", "2"}}); });
    CHECK(refused.reason == journal_refusal::other_job);
    CHECK((refused.changed == std::vector<std::string>{"input", "n"}));
    CHECK_THAT(refused.what(), contains("input was \"12 bytes\" and is \"13 bytes\"; n was not there and is \"2\""));
    CHECK(refused.path == fs::canonical(folder.path()).string() + "/out");
    CHECK(journal(target, job, on_request).n_records() == (complete ? n_all : 9));
  }
}

TEST_CASE("a job that has recorded nothing may change, and leaves nothing", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  CHECK(in_child([&] {
          journal out(target, job, on_request);
          append_up_to(out, 3);
          ::raise(SIGKILL);
          return 0;
        }) == testing::killed(SIGKILL));
  { CHECK(journal(target, {{"seed", "2"}}).n_records() == 0); }
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("fresh starts over, and a finished output stays until the commit", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  do_job(target);
  {
    journal out(target, {{"seed", "2"}}, {.fresh = true});
    CHECK_FALSE(out.is_complete());
    CHECK(out.n_records() == 0);
    out.append("new");
    out.flush();
    CHECK((text_of(target) == all_records(n_all)));
  }
  journal out(target, {{"seed", "2"}});
  CHECK(out.n_records() == 1);
  out.commit();
  CHECK(text_of(target) == "new");
}

TEST_CASE("a complete output is left alone, one that was changed is told, one that is gone is made again",
          "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  do_job(target);
  {
    const journal again(target, job);
    CHECK(again.is_complete());
    CHECK(again.n_records() == n_all);
    CHECK(again.content() == fingerprint(target));
  }
  written(target, "edited");
  CHECK(refusal_of([&] { journal(target, job); }).reason == journal_refusal::target_changed);
  CHECK(text_of(target) == "edited");
  fs::remove(target);
  do_job(target);
  CHECK((text_of(target) == all_records(n_all)));
}

TEST_CASE("an output that is being written is refused to others", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  std::optional<journal> out(std::in_place, target, job, on_request);
  append_up_to(*out, 2);
  CHECK(refusal_of([&] { journal(target, job); }).reason == journal_refusal::in_use);
  const std::string host = "process " + std::to_string(::getpid());
  const auto open_it = [&] {
    try {
      journal(target, job);
      return 0;
    } catch (const journal_error& e) {
      return e.reason == journal_refusal::in_use && std::string(e.what()).find(host) != std::string::npos ? 1 : 2;
    }
  };
  CHECK(in_child(open_it) == testing::exited(1));
  out.reset();
  CHECK(in_child(open_it) == testing::exited(0));
  CHECK(journal(target, job).n_records() == 2);
}

TEST_CASE("a child process does nothing to the journal that it inherits", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  std::optional<journal> out(std::in_place, target, job, on_request);
  append_up_to(*out, 2);
  CHECK(in_child([&] {
          out.reset();
          return 0;
        }) == testing::exited(0));
  CHECK(fs::file_size(beside(target, ".part")) == 0);
  append_up_to(*out, n_all);
  out->commit();
  CHECK((text_of(target) == all_records(n_all)));
}

TEST_CASE("a disk that takes no more is an error with a remedy, and the job goes on once there is room", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  journal out(target, job, on_request);
  append_up_to(out, 5);
  out.flush();
  const std::string large(10'000, 'x');
  {
    const testing::short_files full_disk(4096);
    out.append(large);
    try {
      out.flush();
      FAIL("written");
    } catch (const resource_error& e) {
      CHECK(e.errno_code == EFBIG);
      CHECK_THAT(e.what(), contains("out.part failed: File too large; raise the limit"));
    }
    CHECK_THROWS_AS(out.commit(), resource_error);
    CHECK_FALSE(fs::exists(target));
  }
  SECTION("in the same process") {
    out.commit();
    CHECK((text_of(target) == all_records(5) + large));
  }
  SECTION("in the next one") {
    CHECK(in_child([&] { // the part ends in the middle of a record, as the full disk has left it
            const std::string copy = (folder.path() / "copy").string();
            fs::copy(beside(target, ".part"), copy + ".part");
            fs::copy(beside(target, ".journal"), copy + ".journal");
            journal again(copy, job);
            if (again.n_records() != 5) return 1;
            again.append(large);
            again.commit();
            return text_of(copy) == all_records(5) + large ? 0 : 2;
          }) == testing::exited(0));
  }
}

TEST_CASE("a link is written through, also to a file that is not there yet", "[journal]") {
  const temporary_folder folder;
  const fs::path link = folder.path() / "link";
  fs::create_symlink("real", link);
  for (const bool fresh : {false, true}) {
    do_job(link, {.fresh = fresh, .checkpoint_interval = std::chrono::hours(1)});
    CHECK(fs::is_symlink(link));
    CHECK((text_of(folder.path() / "real") == all_records(n_all)));
    CHECK(fs::exists(folder.path() / "real.journal"));
  }
}

TEST_CASE("a link in the place of the journal or the part is refused, and what it leads to is not touched",
          "[journal]") {
  const temporary_folder folder;
  const fs::path output = folder.path() / "out", precious = folder.path() / "precious";
  for (const char* const suffix : {".journal", ".part"}) {
    INFO(suffix);
    written(precious, "precious");
    fs::create_symlink(precious, beside(output, suffix));
    try {
      journal opened(output);
      FAIL("opened");
    } catch (const resource_error& e) {
      CHECK(e.errno_code == ELOOP);
      CHECK_THAT(e.what(), contains(beside(output, suffix).string()) && contains("it is a link"));
    }
    CHECK(text_of(precious) == "precious");
    for (const char* const each : {".journal", ".part"}) fs::remove(beside(output, each));
  }
}

TEST_CASE("what can be no output is refused by name", "[journal]") {
  const temporary_folder folder;
  fs::create_symlink("circle", folder.path() / "circle");
  for (const fs::path& no_file :
       {folder.path(), folder.path() / "", fs::path("/dev/null"), folder.path() / "circle", fs::path()})
    CHECK_THROWS_AS(journal(no_file), config_error);
  try {
    journal(folder.path() / "none" / "out");
    FAIL("opened");
  } catch (const resource_error& e) {
    CHECK(e.errno_code == ENOENT);
    CHECK_THAT(e.what(), contains("none/out failed: No such file or directory; make the folder first"));
  }
}

TEST_CASE("a file of somebody else with the name of the journal is not touched", "[journal]") {
  const temporary_folder folder;
  const fs::path target = folder.path() / "out";
  written(beside(target, ".journal"), "dear diary");
  for (const bool fresh : {false, true})
    CHECK(refusal_of([&] { journal(target, job, {.fresh = fresh}); }).reason == journal_refusal::foreign_file);
  CHECK(text_of(beside(target, ".journal")) == "dear diary");
}
