// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <recsys/rating.hpp>

// Who has seen what, by user and by item, with users and items numbered in the order of their ids. Training reads both
// directions, scoring leaves out what a user has seen; neither looks at ids.

namespace recsys {

/// The non-zero columns of each row of a sparse 0/1 matrix, ascending.
struct sparse_rows {
  std::vector<std::size_t> begins = {0}; ///< where each row begins in columns, and the end of the last
  std::vector<std::uint32_t> columns;

  std::size_t size() const { return begins.size() - 1; }
  std::span<const std::uint32_t> operator[](std::size_t row) const {
    return std::span(columns).subspan(begins[row], begins[row + 1] - begins[row]);
  }
};

struct interactions {
  std::vector<std::int64_t> user_ids, item_ids; ///< ascending; a user's or item's number is its place here
  sparse_rows by_user, by_item;
};

inline sparse_rows transpose(const sparse_rows& rows, std::size_t n_columns) {
  sparse_rows turned;
  turned.begins.assign(n_columns + 1, 0);
  for (const std::uint32_t column : rows.columns) ++turned.begins[column + 1];
  for (std::size_t c = 0; c < n_columns; ++c) turned.begins[c + 1] += turned.begins[c];

  turned.columns.resize(rows.columns.size());
  std::vector<std::size_t> next(turned.begins.begin(), turned.begins.end() - 1);
  for (std::size_t row = 0; row < rows.size(); ++row)
    for (const std::uint32_t column : rows[row]) turned.columns[next[column]++] = static_cast<std::uint32_t>(row);
  return turned;
}

/// The different ids among the ratings, ascending.
inline std::vector<std::int64_t> distinct_ids(std::span<const rating> ratings, std::int64_t rating::*id) {
  std::vector<std::int64_t> ids;
  ids.reserve(ratings.size());
  for (const rating& one : ratings) ids.push_back(one.*id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

/// A pair that was rated more than once counts once. The order of the ratings does not matter.
inline interactions index_ratings(std::span<const rating> ratings) {
  const auto number_of = [](const std::vector<std::int64_t>& ids, std::int64_t id) {
    return static_cast<std::uint32_t>(std::lower_bound(ids.begin(), ids.end(), id) - ids.begin());
  };
  interactions data{distinct_ids(ratings, &rating::user), distinct_ids(ratings, &rating::item), {}, {}};

  std::vector<std::vector<std::uint32_t>> seen(data.user_ids.size());
  for (const rating& one : ratings)
    seen[number_of(data.user_ids, one.user)].push_back(number_of(data.item_ids, one.item));
  for (std::vector<std::uint32_t>& items : seen) {
    std::sort(items.begin(), items.end());
    items.erase(std::unique(items.begin(), items.end()), items.end());
    data.by_user.columns.insert(data.by_user.columns.end(), items.begin(), items.end());
    data.by_user.begins.push_back(data.by_user.columns.size());
  }
  data.by_item = transpose(data.by_user, data.item_ids.size());
  return data;
}

} // namespace recsys
