// lk-parallel | SPDX-License-Identifier: MIT

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include <support/catch.hpp>

#include <recsys/generator.hpp>
#include <recsys/interactions.hpp>

using namespace recsys;

namespace {

/// FNV-1a over the numbers of all ratings.
std::uint64_t hash_of(const std::vector<rating>& ratings) {
  std::uint64_t hash = 14695981039346656037u;
  for (const rating& one : ratings)
    for (const std::int64_t number : {one.user, one.item, static_cast<std::int64_t>(one.value * 2), one.timestamp})
      hash = (hash ^ static_cast<std::uint64_t>(number)) * 1099511628211u;
  return hash;
}

std::vector<std::size_t> lengths_descending(const sparse_rows& rows) {
  std::vector<std::size_t> lengths;
  for (std::size_t row = 0; row < rows.size(); ++row) lengths.push_back(rows[row].size());
  std::sort(lengths.rbegin(), lengths.rend());
  return lengths;
}

/// Part of all ratings that belongs to the top tenth of rows.
double share_of_top_tenth(const std::vector<std::size_t>& lengths) {
  const auto tenth = lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() / 10);
  const double top = static_cast<double>(std::accumulate(lengths.begin(), tenth, std::size_t{0}));
  return top / static_cast<double>(std::accumulate(lengths.begin(), lengths.end(), std::size_t{0}));
}

} // namespace

TEST_CASE("the generated data are the same bits everywhere", "[generator]") {
  CHECK(random_source(1).next() == 0x910a2dec89025cc1u); // the published SplitMix64
  CHECK(hash_of(generate_ratings({300, 400, 12'000}, 7)) == 4147938131154779506u);
  CHECK(hash_of(generate_ratings({}, 1)) == 8645828863677990508u);
}

TEST_CASE("another seed gives other data of the same shape", "[generator]") {
  const data_shape shape{300, 400, 12'000};
  const std::vector<rating> one = generate_ratings(shape, 1), other = generate_ratings(shape, 2);
  CHECK(one.size() == other.size());
  CHECK_FALSE(one == other);
}

TEST_CASE("the default data have the shape of MovieLens-1M", "[generator]") {
  const std::vector<rating> ratings = generate_ratings({}, 1);
  CHECK(ratings.size() == 1'000'209);
  const interactions data = index_ratings(ratings);
  CHECK(data.by_user.columns.size() == ratings.size()); // no pair twice
  REQUIRE(data.user_ids.size() == 6040);
  REQUIRE(data.item_ids.size() == 3706);
  CHECK(data.user_ids.front() == 1);
  CHECK(data.user_ids.back() == 6040);
  CHECK(data.item_ids.back() == 3706);

  const std::vector<std::size_t> users = lengths_descending(data.by_user), items = lengths_descending(data.by_item);
  CHECK(users.back() == 20);
  CHECK(users.front() > 2000);
  CHECK(users[users.size() / 2] < 100); // the mean is 165
  CHECK(share_of_top_tenth(users) > 0.4);
  CHECK(items.front() > 2000);
  CHECK(items[items.size() / 2] < 150); // the mean is 270
  CHECK(share_of_top_tenth(items) > 0.35);
}

TEST_CASE("ratings are whole stars, sorted by user and item", "[generator]") {
  const std::vector<rating> ratings = generate_ratings({300, 400, 12'000}, 3);
  std::set<float> stars;
  for (const rating& one : ratings) stars.insert(one.value);
  CHECK(stars == std::set<float>{1, 2, 3, 4, 5});
  CHECK(std::is_sorted(ratings.begin(), ratings.end(), [](const rating& a, const rating& b) {
    return std::pair(a.user, a.item) < std::pair(b.user, b.item);
  }));
}

TEST_CASE("the fullest and the emptiest shape can be generated", "[generator]") {
  CHECK(generate_ratings({2, 32, 32 + 8}, 1).size() == 40);
  CHECK(generate_ratings({7, 40, 7 * 25}, 1).size() == 7 * 25);
  CHECK(generate_ratings({50, 40, 50 * 20}, 1).size() == 50 * 20);
}

TEST_CASE("shapes that no data set can have are refused with the possible numbers", "[generator]") {
  CHECK_THROWS_WITH(generate_ratings({10, 40, 199}, 1),
                    "10 users and 40 items can have from 200 to 250 ratings, not 199");
  CHECK_THROWS_AS(generate_ratings({10, 40, 251}, 1), std::invalid_argument);
  CHECK_THROWS_AS(generate_ratings({0, 40, 0}, 1), std::invalid_argument);
  CHECK_THROWS_AS(generate_ratings({10, 31, 200}, 1), std::invalid_argument);
}
