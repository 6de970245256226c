// lk-parallel | SPDX-License-Identifier: MIT
#include <lk/parallel/report/progress_display.hpp>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>

#include <support/catch.hpp>

#include "host_loggers.hpp"

// What the displays draw, and how often: time is a number in the snapshot, so the tests set it.

namespace lk::parallel {
namespace {

using std::chrono::milliseconds;

report::progress_snapshot at(milliseconds elapsed, std::size_t done) {
  report::progress_snapshot now;
  now.label = "scoring";
  now.unit = "users";
  now.total = 1000;
  now.elapsed = elapsed;
  now.move(done, progress_state::finished, {});
  return now;
}

/// A pipe in the place of a terminal: what is drawn is there to be read at once. Its width is unknown.
class plain_screen {
 public:
  plain_screen() {
    int ends[2];
    base::check("pipe", base::remedy_for_descriptors, [&] { return ::pipe2(ends, O_NONBLOCK | O_CLOEXEC); });
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

/// A pseudo-terminal of some width.
class pseudo_terminal {
 public:
  explicit pseudo_terminal(unsigned short columns)
      : master_(base::check("posix_openpt", "", [] { return ::posix_openpt(O_RDWR | O_NOCTTY); })) {
    ::grantpt(master_.get());
    ::unlockpt(master_.get());
    char name[128];
    ::ptsname_r(master_.get(), name, sizeof name);
    screen_ = base::unique_fd(base::check("open", "", [&] { return ::open(name, O_RDWR | O_NOCTTY); }));
    resize(columns);
  }
  int fd() const { return screen_.get(); }
  void resize(unsigned short columns) const {
    const winsize size{25, columns, 0, 0};
    ::ioctl(screen_.get(), TIOCSWINSZ, &size);
  }
  /// The next drawing. Blocks: until it is complete; a pseudo-terminal hands over in its own time.
  std::string drawing() const {
    std::string text;
    for (char c = 0; !text.ends_with("\x1b[K") && ::read(master_.get(), &c, 1) == 1;) text += c;
    return text;
  }

 private:
  base::unique_fd master_, screen_;
};

} // namespace

TEST_CASE("the bar is redrawn at most ten times a second") {
  plain_screen screen;
  report::terminal_progress bar(screen.fd(), "", {}, "");
  int drawn = 0;
  for (int ms = 0; ms < 1000; ++ms) {
    bar.show(at(milliseconds(ms), static_cast<std::size_t>(ms)));
    drawn += !screen.text().empty();
  }
  CHECK(drawn == 10);
}

TEST_CASE("each drawing starts at the line's beginning and clears what is behind it") {
  plain_screen screen;
  report::terminal_progress bar(screen.fd(), "", {}, "");
  bar.show(at(milliseconds(2000), 500));
  CHECK(screen.text() == "\r" + report::bar_line(at(milliseconds(2000), 500), 79) + "\x1b[K");
}

TEST_CASE("the final state is drawn at once and its line stays") {
  plain_screen screen;
  report::terminal_progress bar(screen.fd(), "", {}, "");
  bar.show(at(milliseconds(0), 1));
  screen.text();
  auto last = at(milliseconds(1), 1000);
  last.finished = true;
  bar.show(last);
  const std::string text = screen.text();
  CHECK_THAT(text, testing::contains("100%  1000/1000 users"));
  CHECK(text.back() == '\n');
}

TEST_CASE("the bar follows the width of the terminal") {
  pseudo_terminal terminal(30);
  report::terminal_progress bar(terminal.fd(), "", {}, "");
  bar.show(at(milliseconds(0), 1));
  CHECK(terminal.drawing() == "\r" + report::bar_line(at(milliseconds(0), 1), 29) + "\x1b[K");
  terminal.resize(100);
  bar.show(at(milliseconds(200), 2));
  CHECK(terminal.drawing() == "\r" + report::bar_line(at(milliseconds(200), 2), 99) + "\x1b[K");
}

TEST_CASE("a display that is dropped draws its final state") {
  plain_screen screen;
  report::terminal_progress(screen.fd(), "dropped", 3, "").update();
  CHECK_THAT(screen.text(), testing::contains("\n"));
}

TEST_CASE("the log display writes a line every five seconds and one at the end") {
  testing::host_loggers host;
  {
    report::log_progress log("als", "scoring", 1000, "users");
    for (int ms = 0; ms <= 12'000; ms += 10) log.show(at(milliseconds(ms), static_cast<std::size_t>(ms) / 20));
    CHECK(host.sink->records().size() == 2);
  }
  const auto records = host.sink->records();
  REQUIRE(records.size() == 3);
  for (const auto& record : records) {
    CHECK(record.logger == "als");
    CHECK(record.level == spdlog::level::info);
    CHECK(record.text.find_first_of("\r\n\x1b") == std::string::npos);
  }
  CHECK_THAT(records[0].text, testing::contains("250/1000 users"));
  CHECK_THAT(records[1].text, testing::contains("0:10 elapsed"));
  CHECK_THAT(records[2].text, testing::contains("scoring ended: 0%, 0/1000 users"));
}

TEST_CASE("a label with format characters is data") {
  testing::host_loggers host;
  report::log_progress("", "{} %s {0:d}", 3, "{}").update();
  CHECK_THAT(host.sink->texts().at(0), testing::contains("{} %s {0:d} ended: 33%, 1/3 {}"));
}

} // namespace lk::parallel
