// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/process/result_reader.hpp>
#include <lk/parallel/process/result_sender.hpp>
#include <lk/parallel/process/worker_bell.hpp>
#include <lk/parallel/report/outlet.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/frame.hpp>

using namespace lk::parallel;
using value = std::uint64_t;

namespace {

constexpr std::size_t ring_bytes = 4096;

/// Something that is not zero in any byte.
value result_of(std::uint64_t ticket) { return (ticket + 1) * 0x0101010101010101U; }

/// A worker's sender and the host's reader over one channel, both here.
struct both_ends {
  shm::pool_memory memory{1, ring_bytes, ring_bytes};
  shm::channel channel = memory.at(0);
  shm::event_bell host_bell;
  process::worker_bell worker_bell{channel};
  process::result_sender sender{channel, memory.page(), host_bell};
  process::result_reader reader{channel, worker_bell};

  /// The results of tasks `from` to `to` - 1; there are more tasks in a row, up to `end`.
  void send(std::uint64_t from, std::uint64_t to, std::uint64_t end) {
    for (; from < to; ++from) {
      const value one = result_of(from);
      sender.send_in_run(from, std::as_bytes(std::span(&one, 1)), end - from);
    }
  }
  void log(const std::string& text) {
    sender.send(report::record_kind::log, std::as_bytes(std::span(text)), report::urgency::must_arrive);
  }

  /// All results that come next, from that ticket on, as the short way takes them.
  std::vector<value> take(std::uint64_t ticket) {
    std::vector<value> all;
    value some[64];
    while (const std::size_t n =
               reader.next_results(ticket + all.size(), 64, sizeof(value), reinterpret_cast<std::byte*>(some)))
      all.insert(all.end(), some, some + n);
    reader.free();
    return all;
  }
  std::optional<std::string> next_log() {
    std::optional<std::string> text;
    reader.next_message([&](const wire::message& message) {
      REQUIRE(message.kind == wire::frame_kind::log_record);
      text.emplace(reinterpret_cast<const char*>(message.bytes.data()), message.bytes.size());
    });
    reader.free();
    return text;
  }
};

std::vector<value> results(std::uint64_t from, std::uint64_t to) {
  std::vector<value> all;
  for (; from < to; ++from) all.push_back(result_of(from));
  return all;
}

} // namespace

TEST_CASE("each result of a run is there as soon as it is sent, and is there once") {
  both_ends the;
  REQUIRE_FALSE(the.reader.has_news());
  for (std::uint64_t ticket = 0; ticket < 200; ++ticket) {
    the.send(ticket, ticket + 1, 200);
    REQUIRE(the.reader.has_news());
    REQUIRE(the.take(ticket) == results(ticket, ticket + 1));
    REQUIRE_FALSE(the.reader.has_news());
  }
}

TEST_CASE("a run takes the room of its results and little more, and gives it back") {
  both_ends the;
  the.send(0, 64, 64);
  REQUIRE(the.channel.status->results_produced.bytes == 16 + 8 + 64 * sizeof(value));
  REQUIRE(the.take(0) == results(0, 64));
  REQUIRE(the.channel.host->results_consumed.bytes == the.channel.status->results_produced.bytes);
}

TEST_CASE("the results of a run can be taken one by one, as messages with tickets of their own") {
  both_ends the;
  the.send(7, 12, 20);
  for (std::uint64_t ticket = 7; ticket < 12; ++ticket) {
    const bool was_any = the.reader.next_message([&](const wire::message& message) {
      REQUIRE(message.kind == wire::frame_kind::result);
      REQUIRE(message.ticket() == ticket);
      REQUIRE(message.bytes.size() == sizeof(value));
      value here;
      std::memcpy(&here, message.bytes.data(), sizeof here);
      REQUIRE(here == result_of(ticket));
    });
    REQUIRE(was_any);
  }
  REQUIRE_FALSE(the.reader.next_message([](const wire::message&) {}));
  REQUIRE_FALSE(the.reader.has_news());
}

TEST_CASE("what is sent between the results of a run comes between them") {
  both_ends the;
  the.send(0, 3, 50);
  the.log("after three");
  the.log("and another");
  the.send(3, 4, 50);
  REQUIRE(the.take(0) == results(0, 3));
  REQUIRE(the.next_log() == "after three");
  REQUIRE(the.take(3).empty()); // not past the log
  REQUIRE(the.next_log() == "and another");
  REQUIRE(the.take(3) == results(3, 4));
  the.send(4, 50, 50);
  REQUIRE(the.take(4) == results(4, 50));
  REQUIRE_FALSE(the.reader.has_news());
}

TEST_CASE("a record of another thread of the worker does not wait for the end of a run") {
  both_ends the;
  the.sender.favour_this_thread();
  the.send(0, 3, 50);
  REQUIRE(the.take(0) == results(0, 3));
  std::jthread([&] { the.log("from elsewhere"); }).join();
  REQUIRE(the.reader.has_news());
  REQUIRE(the.take(3).empty());
  REQUIRE(the.next_log() == "from elsewhere");
  the.send(3, 5, 50);
  REQUIRE(the.take(3) == results(3, 5));
}

TEST_CASE("results of any size that counts as plain share frames") {
  for (const std::size_t bytes : {1U, 3U, 4U, 8U, 12U, 16U, 63U, 64U}) {
    both_ends the;
    for (std::uint64_t ticket = 0; ticket < 30; ++ticket)
      the.sender.send_in_run(ticket, std::vector<std::byte>(bytes, static_cast<std::byte>(ticket)), 30 - ticket);
    std::vector<std::byte> all(30 * bytes);
    REQUIRE(the.reader.next_results(0, 30, bytes, all.data()) == 30);
    for (std::size_t at = 0; at < all.size(); ++at) REQUIRE(all[at] == static_cast<std::byte>(at / bytes));
  }
}

TEST_CASE("a run is no longer than what an empty ring is certain to hold") {
  both_ends the;
  const std::vector<std::byte> largest(64, std::byte{7});
  for (std::uint64_t ticket = 0; ticket < 64; ++ticket) {
    the.sender.send_in_run(ticket, largest, 64 - ticket); // would wait for ever
    std::byte into[64];
    REQUIRE(the.reader.next_results(ticket, 1, 64, into) == 1);
    the.reader.free();
  }
}

TEST_CASE("results of another size, or of another task than is waited for, are not taken by the short way") {
  both_ends the;
  the.send(5, 8, 8);
  std::byte into[64];
  REQUIRE(the.reader.next_results(5, 8, 4, into) == 0);
  REQUIRE(the.reader.next_results(4, 8, sizeof(value), into) == 0);
  REQUIRE(the.take(5) == results(5, 8));
}

TEST_CASE("runs, single results and records of two threads go through a ring far smaller than they are") {
  constexpr std::uint64_t n = 50'000;
  both_ends the;
  std::jthread worker([&] {
    both_ends& its = the;
    its.sender.favour_this_thread();
    std::jthread chatterbox([&] {
      for (int i = 0; i < 2'000; ++i) its.log("chatter");
    });
    std::mt19937 random(1);
    for (std::uint64_t ticket = 0; ticket < n;) {
      const std::uint64_t end = std::min<std::uint64_t>(n, ticket + 1 + random() % 200);
      its.send(ticket, end, end);
      ticket = end;
      if (random() % 4 == 0) its.log("word");
    }
  });
  std::uint64_t next = 0;
  int n_chatter = 0, n_words = 0;
  bool well = true;
  while (next < n || n_chatter < 2'000) {
    const auto some = the.take(next);
    well = well && some == results(next, next + some.size());
    next += some.size();
    the.reader.next_message([&](const wire::message& message) {
      if (message.kind == wire::frame_kind::log_record) {
        ++(message.bytes.size() == std::string("word").size() ? n_words : n_chatter);
      } else { // results that have come since
        well = well && message.kind == wire::frame_kind::result && message.ticket() == next++;
      }
    });
    the.reader.free();
  }
  worker.join();
  REQUIRE(well);
  REQUIRE(n_words > 100);
}

TEST_CASE("a stray write in a run is noticed wherever it strikes, and nothing wrong is taken for a result") {
  constexpr std::uint64_t end = 6;
  constexpr std::size_t frame = 16 + 8 + end * sizeof(value);
  for (const std::uint64_t seen : {0U, 1U, 3U}) {   // what the host has taken by then
    for (const std::uint64_t sent : {3U, 5U, 6U}) { // what the worker has sent by then
      for (const bool is_closed : {false, true}) {  // by a record behind it
        for (std::size_t bit = 0; bit < 8 * frame; ++bit) {
          both_ends the;
          the.send(0, seen, end);
          REQUIRE(the.take(0) == results(0, seen));
          the.send(seen, sent, end);
          if (is_closed) the.log("behind it");
          the.channel.results[bit / 8] ^= std::byte{1} << bit % 8;
          std::vector<value> taken;
          bool is_noticed = false;
          try {
            taken = the.take(seen);
            the.reader.next_message([](const wire::message&) {});
          } catch (const wire_error&) {
            is_noticed = true;
          }
          REQUIRE(taken == results(seen, seen + taken.size()));
          const std::size_t at = bit / 8;
          const bool is_seen = at >= 24 && at < 24 + seen * sizeof(value);
          const bool is_empty = at >= 24 + sent * sizeof(value);
          const bool was_read = seen > 0 && at >= 6 && at < 16; // flags and ticket are not needed again
          const bool is_harmless = is_seen || is_empty || was_read;
          CAPTURE(seen, sent, is_closed, bit);
          REQUIRE(is_noticed != is_harmless);
        }
      }
    }
  }
}
