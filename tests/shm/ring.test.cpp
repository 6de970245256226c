// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <thread>
#include <vector>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/shm/ring.hpp>

using namespace lk::parallel;

namespace {

constexpr std::uint16_t kind = 1;

struct test_ring {
  explicit test_ring(std::size_t bytes) : memory(bytes / 8) {}
  std::span<std::byte> span() { return std::as_writable_bytes(std::span(memory)); }
  shm::ring_writer writer() { return {span(), produced, consumed}; }
  shm::ring_reader reader() { return {span(), produced, consumed}; }

  std::vector<std::uint64_t> memory;
  shm::ring_position produced, consumed;
};

bool put(shm::ring_writer& ring, std::uint64_t ticket, std::size_t bytes) {
  const auto room = ring.reserve(bytes);
  if (!room) return false;
  for (std::size_t i = 0; i < bytes; ++i) (*room)[i] = static_cast<std::byte>(ticket + i);
  ring.commit(kind, ticket, bytes);
  ring.publish();
  return true;
}

bool is_whole(const shm::frame& frame) {
  for (std::size_t i = 0; i < frame.payload.size(); ++i)
    if (frame.payload[i] != static_cast<std::byte>(frame.header.ticket + i)) return false;
  return true;
}

/// The next frame, which must be there and whole, is read and given back.
void take(shm::ring_reader& ring) {
  const auto frame = ring.peek();
  REQUIRE(frame);
  REQUIRE(is_whole(*frame));
  ring.pop();
  ring.publish();
}

} // namespace

TEST_CASE("frames come out of a ring as they went in") {
  test_ring ring(4096);
  auto writer = ring.writer();
  auto reader = ring.reader();
  REQUIRE(!reader.peek());
  REQUIRE(put(writer, 1, 0));
  REQUIRE(put(writer, 2, 1));
  REQUIRE(put(writer, 3, 100));
  for (std::uint64_t ticket = 1; ticket <= 3; ++ticket) {
    const auto frame = reader.peek();
    REQUIRE(frame);
    REQUIRE(frame->header.ticket == ticket);
    REQUIRE(is_whole(*frame));
    reader.pop();
  }
  REQUIRE(!reader.peek());
}

TEST_CASE("what is not published cannot be seen") {
  test_ring ring(1024);
  auto writer = ring.writer();
  auto reader = ring.reader();
  REQUIRE(writer.reserve(8));
  writer.commit(kind, 1, 8);
  REQUIRE(!reader.has_frames());
  REQUIRE(!reader.peek());
  writer.publish();
  REQUIRE(reader.has_frames());
  REQUIRE(reader.peek());
}

TEST_CASE("a full ring takes nothing more until something was read") {
  test_ring ring(256);
  auto writer = ring.writer();
  auto reader = ring.reader();
  std::uint64_t n = 0;
  while (put(writer, n, 24)) ++n;
  REQUIRE(n == 256 / shm::frame_bytes(24));
  REQUIRE(reader.peek());
  reader.pop();
  REQUIRE(!put(writer, n, 24));
  reader.publish();
  REQUIRE(put(writer, n, 24));
}

TEST_CASE("the largest payload finds room in an empty ring wherever its positions stand") {
  constexpr std::size_t size = 512;
  test_ring ring(size);
  auto writer = ring.writer();
  auto reader = ring.reader();
  for (std::uint64_t step = 0; step < 200; ++step) {
    REQUIRE(put(writer, step, step % 40));
    take(reader);
    REQUIRE(put(writer, 1000 + step, shm::largest_payload(size)));
    take(reader);
  }
}

TEST_CASE("a reservation that is forgotten leaves no trace") {
  test_ring ring(256);
  auto writer = ring.writer();
  auto reader = ring.reader();
  for (std::uint64_t ticket = 0; ticket < 100; ++ticket) {
    REQUIRE(writer.reserve(100));
    REQUIRE(put(writer, ticket, 40));
    REQUIRE(reader.peek()->header.ticket == ticket);
    reader.pop();
    reader.publish();
  }
}

TEST_CASE("many frames of all sizes pass between two threads untorn and in order") {
  constexpr std::uint64_t n_frames = 100'000;
  test_ring ring(1 << 14);
  std::thread producer([&] {
    auto writer = ring.writer();
    std::minstd_rand random(7);
    for (std::uint64_t ticket = 0; ticket < n_frames;) {
      if (put(writer, ticket, random() % 200))
        ++ticket;
      else
        std::this_thread::yield();
    }
  });
  auto reader = ring.reader();
  std::uint64_t expected = 0;
  bool good = true;
  while (good && expected < n_frames) {
    if (const auto frame = reader.peek()) {
      good = frame->header.ticket == expected && is_whole(*frame);
      ++expected;
      reader.pop();
      reader.publish();
    } else {
      std::this_thread::yield();
    }
  }
  if (!good) ring.consumed.bytes.store(UINT64_MAX / 2); // lets the producer run into its own check
  producer.join();
  REQUIRE(good);
}

TEST_CASE("the reading end refuses positions and lengths that cannot be") {
  test_ring ring(256);
  auto reader = ring.reader();
  SECTION("more produced than the ring holds") { ring.produced.bytes = 264; }
  SECTION("a position between frames") { ring.produced.bytes = 12; }
  SECTION("a position that went backwards") { ring.produced.bytes = UINT64_MAX - 7; }
  SECTION("a frame longer than what was written") {
    const shm::frame_header header{100, kind, 0, 0};
    std::memcpy(ring.memory.data(), &header, sizeof header);
    ring.produced.bytes = 24;
  }
  SECTION("a frame whose length overflows") {
    const shm::frame_header header{UINT32_MAX, kind, 0, 0};
    std::memcpy(ring.memory.data(), &header, sizeof header);
    ring.produced.bytes = 256;
  }
  SECTION("a skip frame in the middle") {
    const shm::frame_header header{16, shm::frame_header::skip, 0, 0};
    std::memcpy(ring.memory.data(), &header, sizeof header);
    ring.produced.bytes = 64;
  }
  SECTION("a header cut short") { ring.produced.bytes = 8; }
  REQUIRE_THROWS_AS(reader.peek(), wire_error);
}

TEST_CASE("the reading end survives any bytes") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 20'000; ++round) {
    test_ring ring(256);
    for (auto& word : ring.memory) word = random() % 4 == 0 ? random() : random() % 64;
    ring.produced.bytes = random() % 2 == 0 ? random() % 512 : (random() % 33) * 8;
    auto reader = ring.reader();
    try {
      for (int frames = 0; frames < 64 && reader.peek(); ++frames) reader.pop();
    } catch (const wire_error&) {
    }
  }
  SUCCEED();
}

TEST_CASE("a writer whose reader keeps up stays in a part of the memory") {
  test_ring ring(1 << 16);
  auto writer = ring.writer();
  auto reader = ring.reader();
  std::size_t farthest = 0;
  for (std::uint64_t ticket = 0; ticket < 10'000; ++ticket) {
    REQUIRE(put(writer, ticket, 100));
    const auto frame = reader.peek();
    REQUIRE(frame);
    REQUIRE(is_whole(*frame));
    farthest = std::max(farthest, static_cast<std::size_t>(frame->payload.data() - ring.span().data()));
    reader.pop();
    reader.publish();
  }
  REQUIRE(farthest < (1 << 16) / 3);
}

TEST_CASE("a writer whose reader lags behind goes through all of the memory") {
  test_ring ring(1 << 16);
  auto writer = ring.writer();
  auto reader = ring.reader();
  std::uint64_t sent = 0, taken = 0;
  std::size_t farthest = 0;
  for (int round = 0; round < 100; ++round) {
    while (put(writer, sent, 100)) ++sent;
    REQUIRE(sent - taken > (1 << 16) / 120 / 2); // half of it at least can wait at any time
    for (int i = 0; i < 50; ++i, ++taken) {
      const auto frame = reader.peek();
      REQUIRE(frame);
      REQUIRE(frame->header.ticket == taken);
      farthest = std::max(farthest, static_cast<std::size_t>(frame->payload.data() - ring.span().data()));
      reader.pop();
    }
    reader.publish();
  }
  REQUIRE(farthest > (1 << 16) - 1000);
}

TEST_CASE("whoever asks for little room and then needs much gets it, wherever the positions stand") {
  constexpr std::size_t bytes = 4096;
  for (std::size_t step = 8; step < 500; step += 24) {
    test_ring ring(bytes);
    auto writer = ring.writer();
    auto reader = ring.reader();
    for (std::uint64_t ticket = 0; ticket < 200; ++ticket) {
      REQUIRE(writer.reserve(8)); // and forgotten
      REQUIRE(writer.reserve(shm::largest_payload(bytes)));
      REQUIRE(put(writer, ticket, step));
      take(reader);
    }
  }
}

TEST_CASE("many frames in one reservation come out as they went in") {
  test_ring ring(8192);
  auto writer = ring.writer();
  auto reader = ring.reader();
  std::uint64_t sent = 0;
  for (int round = 0; round < 500; ++round) {
    auto room = writer.reserve(64);
    REQUIRE(room);
    auto rest = *room;
    for (int i = 0; i < 5 && rest.size() >= 64; ++i, ++sent) {
      for (std::size_t k = 0; k < 64; ++k) rest[k] = static_cast<std::byte>(sent + k);
      writer.commit(kind, sent, 64);
      rest = rest.size() >= shm::frame_bytes(64) ? rest.subspan(shm::frame_bytes(64)) : std::span<std::byte>();
    }
    writer.publish();
    while (const auto frame = reader.peek()) {
      REQUIRE(is_whole(*frame));
      reader.pop();
    }
    reader.publish();
  }
  REQUIRE(reader.position() > sent * shm::frame_bytes(64) - 1);
}

TEST_CASE("a reservation for which there is no room leaves the one before it as it was") {
  for (std::uint64_t n = 0; n < 40; ++n) {
    test_ring ring(2048);
    auto writer = ring.writer();
    auto reader = ring.reader();
    for (std::uint64_t ticket = 0; ticket < n; ++ticket) {
      REQUIRE(put(writer, ticket, 56));
      if (n - ticket > 3) take(reader);
    }
    const auto room = writer.reserve(56);
    REQUIRE(room);
    REQUIRE(!writer.reserve(4096));
    for (std::size_t i = 0; i < 56; ++i) (*room)[i] = static_cast<std::byte>(n + i);
    writer.commit(kind, n, 56);
    writer.publish();
    std::uint64_t last = 0;
    while (const auto frame = reader.peek()) {
      REQUIRE(is_whole(*frame));
      last = frame->header.ticket;
      reader.pop();
    }
    REQUIRE(last == n);
  }
}
