// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include <lk/parallel/report/progress_state.hpp>

// Progress snapshots for the tests of displays: time is a number in them, so the tests set it.

namespace lk::parallel::testing {

/// `done` of 1000 users, `elapsed` after the start.
inline report::progress_snapshot snapshot_at(std::chrono::milliseconds elapsed, std::size_t done,
                                             const std::string& label = "scoring") {
  report::progress_snapshot now;
  now.label = label;
  now.unit = "users";
  now.total = 1000;
  now.elapsed = elapsed;
  now.move(done, progress_state::finished, {});
  return now;
}

/// The same as the last one of its work.
inline report::progress_snapshot last_snapshot(std::chrono::milliseconds elapsed, std::size_t done,
                                               const std::string& label = "scoring") {
  report::progress_snapshot now = snapshot_at(elapsed, done, label);
  now.finished = true;
  return now;
}

/// Three seconds of work with items in all states.
inline report::progress_snapshot busy_snapshot() {
  report::progress_snapshot now;
  now.label = "scoring";
  now.unit = "users";
  now.total = 6000;
  now.elapsed = std::chrono::seconds(3);
  now.move(2640, progress_state::finished, {});
  now.move(60, progress_state::failed, {});
  now.move(300, progress_state::in_progress, {});
  now.move(600, progress_state::dispatched, {});
  return now;
}

} // namespace lk::parallel::testing
