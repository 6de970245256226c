// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <ranges>

#include <lk/parallel/threads/work_chunks.hpp>
#include <support/catch.hpp>

using lk::parallel::chunk;
using lk::parallel::WorkChunks;

TEST_CASE("chunks have the sizes that LensKit gives them") {
  const auto [n_jobs, chunk_size, chunk_count] =
      GENERATE(table<std::size_t, std::size_t, std::size_t>({{0, 0, 0},
                                                             {1, 1, 1},
                                                             {99, 99, 1},
                                                             {100, 100, 1},
                                                             {101, 100, 2},
                                                             {6040, 100, 61},
                                                             {100'000, 100, 1000},
                                                             {100'999, 100, 1010},
                                                             {101'000, 101, 1000},
                                                             {101'001, 101, 1001},
                                                             {3'999'999, 3999, 1001},
                                                             {4'000'000, 4000, 1000},
                                                             {4'000'001, 4000, 1001},
                                                             {1'000'000'000, 4000, 250'000}}));
  CHECK(WorkChunks::create(n_jobs) == WorkChunks{n_jobs, chunk_size, chunk_count});
}

TEST_CASE("chunks cover all jobs without gap or overlap") {
  for (const std::size_t n_jobs : {0u, 1u, 57u, 99u, 100u, 101u, 199u, 200u, 12'345u, 1'000'003u}) {
    std::size_t next = 0;
    for (const chunk jobs : WorkChunks::create(n_jobs)) {
      REQUIRE(jobs.begin == next);
      REQUIRE(jobs.size() > 0);
      next = jobs.end;
    }
    CHECK(next == n_jobs);
  }
}

TEST_CASE("WorkChunks is a random-access range") {
  const WorkChunks chunks = WorkChunks::create(1050);
  const auto it = chunks.begin();
  CHECK(chunks.size() == 11);
  CHECK(chunks.end() - it == 11);
  CHECK(it[3] == chunk{300, 400});
  CHECK(*(it + 10) == chunk{1000, 1050});
  CHECK(*(2 + it) == chunks[2]);
  CHECK(*(chunks.end() - 1) == chunk{1000, 1050});
  CHECK(it < it + 1);
  auto moved = it;
  CHECK(*moved++ == chunk{0, 100});
  CHECK(*moved-- == chunk{100, 200});
  CHECK(moved == it);
  CHECK(std::ranges::distance(chunks | std::views::drop(4)) == 7);
  CHECK(WorkChunks::create(0).empty());
}
