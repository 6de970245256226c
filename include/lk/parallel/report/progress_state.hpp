// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

// What there is to know about a piece of work in progress: how many items are in which state, and since when. Displays
// draw it; it knows none of them.

namespace lk::parallel {

/// Where an item of work is. `finished` and `failed` are outcomes: an item stays there.
enum class progress_state { dispatched, in_progress, finished, failed };
/// Units: states an item can be in.
inline constexpr std::size_t n_progress_states = 4;

} // namespace lk::parallel

namespace lk::parallel::report {

/// A piece of work as a display draws it.
struct progress_snapshot {
  std::string label = {};                              ///< what is being done ("scoring")
  std::string unit = {};                               ///< what is counted, in the plural ("users"); may be empty
  std::optional<std::size_t> total = {};               ///< unknown for input of unknown length
  std::array<std::size_t, n_progress_states> counts{}; ///< items by state
  std::size_t done_before = 0;                         ///< of those that are done: by a run before this one
  std::string metric_name = {};                        ///< of a value worth watching ("loss"); empty: none
  double metric = 0;                                   ///< that value
  std::chrono::nanoseconds elapsed{0};                 ///< since the first update
  bool finished = false;                               ///< no further change will come

  /// Items in this state.
  std::size_t count(progress_state state) const { return counts[static_cast<std::size_t>(state)]; }
  /// Items that are finished or have failed.
  std::size_t done() const { return count(progress_state::finished) + count(progress_state::failed); }

  /// Of those, items that this run has done.
  std::size_t done_now() const { return done() - std::min(done(), done_before); }

  /// Units: items of this run per second, the mean since the first update; 0 before time has passed.
  double rate() const {
    const double seconds = std::chrono::duration<double>(elapsed).count();
    return seconds > 0 ? static_cast<double>(done_now()) / seconds : 0.0;
  }

  /// Part of the total that is done, 0 to 1; nothing where the total is unknown.
  std::optional<double> fraction() const {
    if (!total) return std::nullopt;
    if (*total == 0) return 1.0;
    return std::min(1.0, static_cast<double>(done()) / static_cast<double>(*total));
  }

  /// Time left at the mean rate; nothing where it cannot be known.
  std::optional<std::chrono::duration<double>> time_left() const {
    if (!total || done_now() == 0 || elapsed.count() <= 0) return std::nullopt;
    const std::size_t open = *total - std::min(*total, done());
    return std::chrono::duration<double>(static_cast<double>(open) / rate());
  }

  /// Moves n items into a state. More items than `from` holds leave it at zero.
  void move(std::size_t n, progress_state to, std::optional<progress_state> from) {
    if (from) {
      auto& source = counts[static_cast<std::size_t>(*from)];
      source -= std::min(source, n);
    }
    counts[static_cast<std::size_t>(to)] += n;
  }
};

} // namespace lk::parallel::report
