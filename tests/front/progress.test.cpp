// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/progress.hpp>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <memory>

#include <support/catch.hpp>
#include <support/in_child.hpp>

// invoke_progress chooses a display by what stderr is.

namespace lk::parallel {
namespace {

/// Makes the file this process's stderr.
bool become_stderr(const char* path) {
  const base::unique_fd fd(::open(path, O_RDWR | O_NOCTTY));
  return fd && ::dup2(fd.get(), STDERR_FILENO) == STDERR_FILENO;
}

template <class Display> bool is_displayed_by() {
  const std::shared_ptr<Progress> progress = invoke_progress("lk.test", "scoring", 10, "users");
  progress->update(2, Progress::state::dispatched);
  progress->update(1, Progress::state::in_progress, Progress::state::dispatched);
  progress->update(1, Progress::state::finished, Progress::state::in_progress);
  return dynamic_cast<Display*>(progress.get()) != nullptr;
}

} // namespace

TEST_CASE("where stderr is no terminal, progress goes to the logger") {
  CHECK(testing::in_child([] {
          return become_stderr("/dev/null") && is_displayed_by<report::log_progress>() ? 0 : 1;
        }) == testing::exited(0));
}

TEST_CASE("where stderr is a terminal, progress is a bar on it") {
  CHECK(testing::in_child([] {
          const base::unique_fd master(::posix_openpt(O_RDWR | O_NOCTTY));
          if (!master || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0) return 2;
          char name[128];
          if (::ptsname_r(master.get(), name, sizeof name) != 0 || !become_stderr(name)) return 3;
          return is_displayed_by<report::terminal_progress>() ? 0 : 1;
        }) == testing::exited(0));
}

TEST_CASE("total and unit may be unknown") {
  CHECK(testing::in_child([] {
          if (!become_stderr("/dev/null")) return 1;
          invoke_progress("", "scoring")->update();
          return 0;
        }) == testing::exited(0));
}

} // namespace lk::parallel
