// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/terminal_progress.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include <support/catch.hpp>

#include "snapshots.hpp"

// When a bar draws: time is a number in the snapshot.

namespace lk::parallel {
namespace {

using std::chrono::milliseconds;
using testing::last_snapshot;
using testing::snapshot_at;

/// A pipe in the place of a terminal: what is drawn is there to be read at once. Its size is unknown.
class plain_screen {
 public:
  plain_screen() {
    int ends[2];
    base::check("pipe2", base::remedy_for_descriptors, [&] { return ::pipe2(ends, O_NONBLOCK | O_CLOEXEC); });
    out_ = base::unique_fd(ends[0]);
    in_ = base::unique_fd(ends[1]);
  }
  int fd() const { return in_.get(); }
  std::string text() const {
    char bytes[8192];
    const auto n = ::read(out_.get(), bytes, sizeof bytes);
    return n > 0 ? std::string(bytes, static_cast<std::size_t>(n)) : std::string();
  }

 private:
  base::unique_fd out_, in_;
};

} // namespace

TEST_CASE("the bar is redrawn at most ten times a second") {
  plain_screen pipe;
  report::terminal_screen screen(pipe.fd(), {});
  report::terminal_progress bar(screen, "", {}, "");
  int drawn = 0;
  for (int ms = 0; ms < 1000; ++ms) {
    bar.show(snapshot_at(milliseconds(ms), static_cast<std::size_t>(ms)));
    drawn += !pipe.text().empty();
  }
  CHECK(drawn == 10);
}

TEST_CASE("each drawing starts at the line's beginning, clears what is behind it, and ends where it began") {
  plain_screen pipe;
  report::terminal_screen screen(pipe.fd(), {});
  report::terminal_progress bar(screen, "", {}, "");
  bar.show(snapshot_at(milliseconds(0), 1));
  pipe.text();
  bar.show(snapshot_at(milliseconds(2000), 500));
  CHECK(pipe.text() == "\r" + report::bar_line(snapshot_at(milliseconds(2000), 500), 79, {}) + "\x1b[J\r");
}

TEST_CASE("the final state is drawn at once and its line stays") {
  plain_screen pipe;
  report::terminal_screen screen(pipe.fd(), {});
  report::terminal_progress bar(screen, "", {}, "");
  bar.show(snapshot_at(milliseconds(0), 1));
  pipe.text();
  bar.show(last_snapshot(milliseconds(1), 1000));
  CHECK(pipe.text() == "\r\x1b[J" + report::bar_line(last_snapshot(milliseconds(1), 1000), 79, {}) + "\r\n\x1b[J\r");
}

TEST_CASE("a bar that is dropped draws its final state") {
  plain_screen pipe;
  report::terminal_screen screen(pipe.fd(), {});
  report::terminal_progress(screen, "dropped", 3, "").update();
  CHECK_THAT(pipe.text(), testing::contains("\n"));
}

} // namespace lk::parallel
