// lk-parallel | SPDX-License-Identifier: MIT
#include <cstdlib>
#include <string>

#include <lk/parallel/config/environment.hpp>
#include <support/catch.hpp>

using namespace lk::parallel;
using config::read_environment_int;
using testing::contains;

namespace {

constexpr const char* name = "LK_NUM_PROCS";

class variable {
 public:
  explicit variable(const char* text, const char* which = name) : which_(which) { ::setenv(which, text, 1); }
  ~variable() { ::unsetenv(which_); }
  variable(const variable&) = delete;
  variable& operator=(const variable&) = delete;

 private:
  const char* which_;
};

} // namespace

TEST_CASE("an unset, empty or blank variable is no value") {
  ::unsetenv(name);
  CHECK_FALSE(read_environment_int(name, false));
  for (const char* text : {"", " ", " \t\n "}) {
    const variable set(text);
    CHECK_FALSE(read_environment_int(name, false));
  }
}

TEST_CASE("a whole number from 1 up is read, also between blanks") {
  const auto [text, value] = GENERATE(table<const char*, int>(
      {{"1", 1}, {"4", 4}, {" 4 ", 4}, {"\t12\n", 12}, {"007", 7}, {"2147483647", 2147483647}}));
  const variable set(text);
  CHECK(read_environment_int(name, false) == value);
}

TEST_CASE("anything else is a config_error that names the variable and its text") {
  const std::string text = GENERATE("0", "-1", "-4", "abc", "4x", "x4", "4 5", "+4", "4.0", "1e3", "0x10", "2147483648",
                                    "99999999999", "-99999999999", " 4x ", "--1", "-");
  const variable set(text.c_str());
  try {
    (void)read_environment_int(name, false);
    FAIL("accepted \"" << text << '"');
  } catch (const config_error& e) {
    CHECK(e.variable == name);
    CHECK(e.text == text);
    CHECK_THAT(e.what(), contains(name) && contains(text) && contains("whole number from 1 up"));
  }
}

TEST_CASE("-1 is read where it has a meaning, other negatives and zero are not") {
  {
    const variable set(" -1 ");
    CHECK(read_environment_int(name, true) == -1);
  }
  for (const char* text : {"0", "-2", "-0"}) {
    const variable set(text);
    CHECK_THROWS_AS(read_environment_int(name, true), config_error);
    CHECK_THROWS_WITH(read_environment_int(name, true), contains("-1 to leave the backends alone"));
  }
}

TEST_CASE("a placement is one of its words, nothing else") {
  const auto read = [] { return config::read_environment_placement("LK_BIND"); };
  ::unsetenv("LK_BIND");
  CHECK_FALSE(read());
  for (const placement mode : {placement::none, placement::spread, placement::compact, placement::numa}) {
    const variable set((" " + std::string(to_string(mode)) + "\t").c_str(), "LK_BIND");
    CHECK(read() == mode);
  }
  for (const char* text : {"", "  "}) {
    const variable set(text, "LK_BIND");
    CHECK_FALSE(read());
  }
  for (const std::string text : {"Spread", "NONE", "0", "spread compact", "nonee", "unknown", " nuMa "}) {
    const variable set(text.c_str(), "LK_BIND");
    try {
      (void)read();
      FAIL("accepted \"" << text << '"');
    } catch (const config_error& e) {
      CHECK(e.variable == "LK_BIND");
      CHECK(e.text == text);
      CHECK_THAT(e.what(), contains("none, spread, compact, numa"));
    }
  }
}

TEST_CASE("each knob has its own variable, and only the backend and child threads may be -1") {
  {
    const variable a("3", "LK_NUM_PROCS"), b("5", "LK_NUM_THREADS"), c("-1", "LK_NUM_BACKEND_THREADS"),
        d("-1", "LK_NUM_CHILD_THREADS");
    const config::environment_knobs knobs = config::read_environment();
    CHECK(knobs.processes == 3);
    CHECK(knobs.threads == 5);
    CHECK(knobs.backend_threads == -1);
    CHECK(knobs.child_threads == -1);
  }
  for (const char* which : {"LK_NUM_PROCS", "LK_NUM_THREADS"}) {
    const variable set("-1", which);
    CHECK_THROWS_WITH(config::read_environment(), contains(which));
  }
  CHECK_FALSE(config::read_environment().processes);
}

TEST_CASE("LK_DEBUG is yes, no or a config_error") {
  ::unsetenv("LK_DEBUG");
  CHECK_FALSE(config::read_environment().debug);
  for (const char* text : {"1", "true", " 1 "}) {
    const variable set(text, "LK_DEBUG");
    CHECK(config::read_environment().debug);
  }
  for (const char* text : {"0", "false", "", " "}) {
    const variable set(text, "LK_DEBUG");
    CHECK_FALSE(config::read_environment().debug);
  }
  for (const char* text : {"2", "yes", "on", "TRUE", "-1", "1 1"}) {
    const variable set(text, "LK_DEBUG");
    CHECK_THROWS_WITH(config::read_environment(), contains("LK_DEBUG") && contains(text));
  }
}

TEST_CASE("whether malloc asks for huge pages is read from glibc's tunables") {
  ::unsetenv("GLIBC_TUNABLES");
  CHECK_FALSE(config::heap_uses_huge_pages());
  const auto [text, does] = GENERATE(table<const char*, bool>({{"glibc.malloc.hugetlb=1", true},
                                                               {"glibc.malloc.check=1:glibc.malloc.hugetlb=2", true},
                                                               {"glibc.malloc.hugetlb=0", false},
                                                               {"glibc.malloc.hugetlb=", false},
                                                               {"glibc.malloc.check=1", false}}));
  const variable set(text, "GLIBC_TUNABLES");
  CHECK(config::heap_uses_huge_pages() == does);
}
