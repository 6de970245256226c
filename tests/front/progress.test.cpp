// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/progress.hpp>

#include <stdlib.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <typeindex>
#include <vector>

#include <lk/parallel/base/unique_fd.hpp>
#include <lk/parallel/invoker.hpp>
#include <lk/parallel/report/json_progress.hpp>
#include <lk/parallel/report/log_progress.hpp>
#include <lk/parallel/report/silent_progress.hpp>
#include <lk/parallel/report/terminal_progress.hpp>
#include <support/catch.hpp>
#include <support/in_child.hpp>
#include <support/pseudo_terminal.hpp>
#include <support/terminal_emulator.hpp>

// make_progress chooses a display by LK_PROGRESS, by what stderr is, and by what process it is in.

namespace lk::parallel {
namespace {

using environment = std::map<std::string, std::string>;

/// Sets these variables, and takes away all others that a display looks at.
void set_environment(const environment& variables) {
  for (const char* const name : {"LK_PROGRESS", "TERM", "NO_COLOR", "LC_ALL", "LC_CTYPE", "LANG"}) ::unsetenv(name);
  for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
}

template <class Display> bool is_displayed_by(const std::shared_ptr<Progress>& progress) {
  progress->update(2, Progress::state::dispatched);
  progress->update(1, Progress::state::in_progress, Progress::state::dispatched);
  progress->update(1, Progress::state::finished, Progress::state::in_progress);
  return dynamic_cast<Display*>(progress.get()) != nullptr;
}

/// True where make_progress and invoke_progress choose that display, on a terminal or not.
template <class Display> bool is_chosen(bool on_terminal, const environment& variables) {
  testing::pseudo_terminal terminal(80, 24);
  return testing::in_child([&] {
           set_environment(variables);
           const base::unique_fd nowhere(::open("/dev/null", O_RDWR));
           ::dup2(nowhere.get(), STDOUT_FILENO);
           ::dup2(on_terminal ? terminal.fd() : nowhere.get(), STDERR_FILENO);
           return is_displayed_by<Display>(make_progress("lk.test", "scoring", 10, "users")) &&
                          is_displayed_by<Display>(invoke_progress("lk.test", "scoring"))
                      ? 0
                      : 1;
         }) == testing::exited(0);
}

/// What the terminal shows of a bar.
testing::terminal_emulator bar_on_terminal(const environment& variables) {
  testing::pseudo_terminal terminal(100, 24);
  testing::in_child([&] {
    set_environment(variables);
    ::dup2(terminal.fd(), STDERR_FILENO);
    make_progress("", "größe", 4, "users")->update(4);
    return 0;
  });
  testing::terminal_emulator screen(100, 24);
  screen.feed(terminal.text());
  return screen;
}

} // namespace

TEST_CASE("a terminal that can move its cursor gets a bar, everything else a logger") {
  CHECK(is_chosen<report::terminal_progress>(true, {{"TERM", "xterm-256color"}}));
  CHECK(is_chosen<report::terminal_progress>(true, {{"TERM", "xterm"}, {"LK_PROGRESS", " auto "}}));
  CHECK(is_chosen<report::log_progress>(true, {{"TERM", "dumb"}}));
  CHECK(is_chosen<report::log_progress>(true, {}));
  CHECK(is_chosen<report::log_progress>(false, {{"TERM", "xterm"}}));
}

TEST_CASE("LK_PROGRESS chooses the display, whatever stderr is") {
  for (const bool on_terminal : {true, false}) {
    CHECK(is_chosen<report::terminal_progress>(on_terminal, {{"LK_PROGRESS", "bar"}}));
    CHECK(is_chosen<report::log_progress>(on_terminal, {{"LK_PROGRESS", "log"}, {"TERM", "xterm"}}));
    CHECK(is_chosen<report::json_progress>(on_terminal, {{"LK_PROGRESS", "json"}}));
    CHECK(is_chosen<report::silent_progress>(on_terminal, {{"LK_PROGRESS", "none"}, {"TERM", "xterm"}}));
  }
}

TEST_CASE("a value that LK_PROGRESS does not know is refused by name, text and values") {
  CHECK(testing::in_child([] {
          set_environment({{"LK_PROGRESS", "Bars"}});
          try {
            make_progress("", "scoring");
          } catch (const config_error& e) {
            const std::string what = e.what();
            for (const char* const part : {"LK_PROGRESS", "Bars", "auto", "bar", "log", "json", "none"})
              if (what.find(part) == std::string::npos) return 1;
            return 0;
          }
          return 2;
        }) == testing::exited(0));
}

TEST_CASE("characters and colours follow the locale and NO_COLOR") {
  const std::string blocks = "größe  ███████████████████  100%  4/4 users";
  const std::string letters = "gr??e  ###################  100%  4/4 users";
  const auto shows = [](const environment& more, const std::string& beginning) {
    environment variables = more;
    variables.emplace("TERM", "xterm");
    const auto screen = bar_on_terminal(variables);
    return screen.lines().size() == 1 && screen.lines()[0].starts_with(beginning) &&
           screen.has_colour() == (!more.contains("NO_COLOR") || more.at("NO_COLOR").empty());
  };
  CHECK(shows({{"LANG", "de_DE.UTF-8"}}, blocks));
  CHECK(shows({{"LANG", "C.utf8"}, {"NO_COLOR", "1"}}, blocks));
  CHECK(shows({{"LC_ALL", ""}, {"LC_CTYPE", "en_US.UTF-8"}, {"LANG", "C"}, {"NO_COLOR", ""}}, blocks));
  CHECK(shows({}, letters));
  CHECK(shows({{"LANG", "de_DE.ISO-8859-1"}, {"NO_COLOR", "1"}}, letters));
  CHECK(shows({{"LC_ALL", "POSIX"}, {"LC_CTYPE", "en_US.UTF-8"}, {"LANG", "en_US.UTF-8"}}, letters));
}

TEST_CASE("the null progress counts and shows nothing") {
  CHECK(testing::in_child([] {
          ::close(STDERR_FILENO);
          return is_displayed_by<report::silent_progress>(null_progress()) ? 0 : 1;
        }) == testing::exited(0));
}

TEST_CASE("in a worker a new progress shows nothing") {
  const auto is_silent = [](int, int) {
    ::setenv("LK_PROGRESS", "json", 1);
    return is_displayed_by<report::silent_progress>(make_progress("lk.test", "nested", 10, "users"));
  };
  invoker inv{0, is_silent, {.n_jobs = 2}};
  for (const bool silent : inv.map(std::vector{1, 2, 3})) CHECK(silent);
}

} // namespace lk::parallel
