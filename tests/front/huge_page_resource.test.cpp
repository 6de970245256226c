// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory_resource>
#include <new>
#include <numeric>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

#include <lk/parallel/huge_page_resource.hpp>
#include <lk/parallel/invoker.hpp>

using namespace lk::parallel;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

/// Whether this machine gives huge pages to those who ask.
bool system_has_huge_pages() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string modes;
  return std::getline(file, modes) && modes.find("[never]") == std::string::npos;
}

/// Of this process, in bytes.
std::size_t memory_in_huge_pages() {
  std::ifstream lines("/proc/self/smaps_rollup");
  for (std::string word; lines >> word;) {
    std::size_t kib = 0;
    if (word == "AnonHugePages:" && lines >> kib) return kib * 1024;
  }
  return 0;
}

std::size_t mapped_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0;
  file >> pages;
  return pages * 4096;
}

} // namespace

TEST_CASE("a huge page resource gives memory for pieces of any size, aligned as asked, none twice") {
  huge_page_resource memory;
  struct piece {
    std::byte* begin;
    std::size_t bytes, alignment;
  };
  std::vector<piece> pieces;
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{8}, std::size_t{4096}, mib, 2 * mib, 9 * mib})
    for (const std::size_t alignment : {std::size_t{1}, std::size_t{64}, std::size_t{8192}})
      for (int i = 0; i < 3; ++i) {
        auto* const begin = static_cast<std::byte*>(memory.allocate(bytes, alignment));
        REQUIRE(reinterpret_cast<std::uintptr_t>(begin) % alignment == 0);
        std::fill_n(begin, bytes, static_cast<std::byte>(pieces.size()));
        pieces.push_back({begin, bytes, alignment});
      }
  for (std::size_t i = 0; i < pieces.size(); ++i)
    REQUIRE(std::all_of(pieces[i].begin, pieces[i].begin + pieces[i].bytes,
                        [&](std::byte b) { return b == static_cast<std::byte>(i); }));
  for (const piece& each : pieces) memory.deallocate(each.begin, each.bytes, each.alignment);
  REQUIRE_THROWS_AS(memory.allocate(1, 4 * mib), std::bad_alloc);
  REQUIRE_THROWS_AS(memory.allocate(SIZE_MAX / 2 + 2, 1), std::bad_alloc);
}

TEST_CASE("large pieces go back to the system at once, and the rest with the resource") {
  const std::size_t before = mapped_bytes();
  {
    huge_page_resource memory;
    std::pmr::vector<double> grows(&memory); // leaves a smaller piece behind at each step
    for (int i = 0; i < 4'000'000; ++i) grows.push_back(i);
    REQUIRE(mapped_bytes() < before + 64 * mib);
    std::pmr::vector<std::pmr::vector<int>> rows(&memory);
    for (int i = 0; i < 10'000; ++i) rows.emplace_back(50, i);
    REQUIRE(rows[9'999][49] == 9'999);
  }
  REQUIRE(mapped_bytes() <= before + mib);
}

TEST_CASE("several threads take from one resource at a time") {
  huge_page_resource memory;
  std::vector<std::jthread> threads;
  std::vector<std::int64_t> sums(4);
  for (std::size_t t = 0; t < sums.size(); ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < 200; ++round) {
        const std::pmr::vector<std::int64_t> numbers(static_cast<std::size_t>(round) * 20, 1, &memory);
        sums[t] += std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
      }
    });
  threads.clear();
  for (const std::int64_t sum : sums) REQUIRE(sum == 20 * 199 * 200 / 2);
}

TEST_CASE("workers see a model that lies in huge pages") {
  if (!system_has_huge_pages()) WARN("skipped in part: this system has huge pages switched off");
  const std::size_t before = memory_in_huge_pages();
  huge_page_resource memory;
  std::pmr::vector<std::int64_t> numbers(3 * mib, &memory);
  std::iota(numbers.begin(), numbers.end(), 0);
  if (system_has_huge_pages()) REQUIRE(memory_in_huge_pages() > before);
  invoker workers{numbers,
                  [](const std::pmr::vector<std::int64_t>& model, std::size_t i) { return model[i * 100'000]; },
                  {.n_jobs = 2, .where = execution::processes}};
  std::int64_t expected = 0;
  for (const std::int64_t value : workers.map(std::views::iota(std::size_t{0}, std::size_t{31}))) {
    REQUIRE(value == expected);
    expected += 100'000;
  }
}

TEST_CASE("memory that is there already gets huge pages and keeps what is in it") {
  std::vector<std::int64_t> numbers(3 * mib);
  std::iota(numbers.begin(), numbers.end(), 0);
  if (system_has_huge_pages()) REQUIRE(prefer_huge_pages(numbers));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (numbers[i] != static_cast<std::int64_t>(i)) REQUIRE(numbers[i] == static_cast<std::int64_t>(i));
}

TEST_CASE("memory without a whole huge page inside stays as it is") {
  std::vector<std::byte> few(mib);
  REQUIRE(!prefer_huge_pages(few));
  std::vector<std::byte> none;
  REQUIRE(!prefer_huge_pages(none));
}
