// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include <lk/parallel/report/outlet.hpp>
#include <lk/parallel/report/progress_state.hpp>
#include <lk/parallel/wire/codec.hpp>
#include <lk/parallel/wire/std_codecs.hpp>

// How a Progress of the host is advanced from inside a worker: its changes go to the host by the outlet that also takes
// the log, many updates together, and the host's object makes them. It draws nothing and knows no Progress.

namespace lk::parallel::report {

/// One change of the Progress that the host knows by `id`. Travels by the codec of aggregates.
struct progress_change {
  enum class field : std::int32_t { counts, label, total, metric };

  std::uint64_t id = 0;
  field what = field::counts;
  std::uint64_t n = 0;                  ///< counts: items; total: the number
  progress_state to{};                  ///< counts
  std::optional<progress_state> from{}; ///< counts; none: from outside
  bool is_known = true;                 ///< total
  std::string text{};                   ///< label; name of the metric
  double value = 0;                     ///< metric
};

/// The worker's end. Threads: any. Fork: in a child of the worker it does nothing.
class progress_relay {
 public:
  /// This worker's, null elsewhere.
  static progress_relay* instance() { return ours; }

  /// Changes go to `out` from here on. Fork: for a worker, once. Lifetime: the outlet lives until the process ends.
  static void begin(outlet& out) { ours = new progress_relay(out); }

  /// Sends what was gathered, if anything was: to be called at the end of each task.
  static void flush() {
    if (ours != nullptr && ours->has_gathered_.load(std::memory_order_relaxed)) ours->send_gathered();
  }

  void update(std::uint64_t id, std::size_t n, progress_state to, std::optional<progress_state> from) noexcept {
    if (::getpid() != owner_) return;
    try {
      const std::lock_guard lock(mutex_);
      gathered_[{id, to, from ? static_cast<int>(*from) : outside}] += n;
      has_gathered_.store(true, std::memory_order_relaxed);
      if (clock::now() - last_sent_ >= longest_gathering) send_all();
    } catch (...) { // memory ran out: nobody in this process can be told
    }
  }

  void send(const progress_change& change) noexcept {
    if (::getpid() != owner_) return;
    try {
      const std::lock_guard lock(mutex_);
      send_all(); // in the order in which they were made
      send_one(change);
    } catch (...) {
    }
  }

 private:
  using clock = std::chrono::steady_clock;
  /// A display draws ten times a second at most.
  static constexpr auto longest_gathering = std::chrono::milliseconds(50);
  static constexpr int outside = -1; ///< in the place of `from`; GCC 12 warns of an optional in a key

  explicit progress_relay(outlet& out) : out_(out) {}

  void send_gathered() noexcept {
    try {
      const std::lock_guard lock(mutex_);
      send_all();
    } catch (...) {
    }
  }

  void send_all() {
    has_gathered_.store(false, std::memory_order_relaxed);
    last_sent_ = clock::now();
    for (const auto& [key, n] : std::exchange(gathered_, {})) {
      const auto& [id, to, from] = key;
      if (from == outside)
        send_one({.id = id, .n = n, .to = to});
      else
        send_one({.id = id, .n = n, .to = to, .from = static_cast<progress_state>(from)});
    }
  }

  void send_one(const progress_change& change) {
    wire::writer buffer;
    wire::encode(change, buffer);
    out_.send(record_kind::progress, buffer.bytes(), urgency::must_arrive);
  }

  inline static progress_relay* ours = nullptr;

  outlet& out_;
  const pid_t owner_ = ::getpid();
  std::mutex mutex_; // guards the rest; made in the worker
  std::map<std::tuple<std::uint64_t, progress_state, int>, std::uint64_t> gathered_; // by id, to, from
  clock::time_point last_sent_{};
  std::atomic<bool> has_gathered_{false};
};

/// Throws: wire_error where the bytes are no whole change.
inline progress_change decode_progress_change(std::span<const std::byte> bytes) {
  wire::reader in(bytes);
  auto change = wire::decode<progress_change>(in);
  in.expect_end();
  const auto is_state = [](progress_state state) { return static_cast<std::size_t>(state) < n_progress_states; };
  const bool is_field = change.what >= progress_change::field::counts && change.what <= progress_change::field::metric;
  if (!is_field || !is_state(change.to) || (change.from && !is_state(*change.from)))
    throw wire_error("a change of a progress names a state that there is not");
  return change;
}

} // namespace lk::parallel::report
