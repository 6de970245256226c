// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include <recsys/rating.hpp>

// Who has rated what, by user and by item, with users and items numbered in the order of their ids. Training reads both
// directions, scoring leaves out what a user has seen; neither looks at ids.

namespace recsys {

/// The non-zero columns of each row of a sparse matrix, ascending, and what stands there.
struct sparse_rows {
  std::vector<std::size_t> begins = {0}; ///< where each row begins in columns, and the end of the last
  std::vector<std::uint32_t> columns;
  std::vector<float> values = {}; ///< of each of columns; empty where only the columns matter

  std::size_t size() const { return begins.size() - 1; }
  std::span<const std::uint32_t> operator[](std::size_t row) const { return part(columns, row); }
  std::span<const float> values_of(std::size_t row) const { return part(values, row); }

 private:
  template <class T> std::span<const T> part(const std::vector<T>& all, std::size_t row) const {
    return std::span(all).subspan(begins[row], begins[row + 1] - begins[row]);
  }
};

struct interactions {
  std::vector<std::int64_t> user_ids, item_ids; ///< ascending; a user's or item's number is its place here
  sparse_rows by_user, by_item;                 ///< values are ratings
  std::size_t n_repeated = 0;                   ///< ratings that do not count, since a later one of the pair does
};

/// The number of a user or item. Nothing where the id is not known.
inline std::optional<std::uint32_t> number_of(std::span<const std::int64_t> ids, std::int64_t id) {
  const auto at = std::lower_bound(ids.begin(), ids.end(), id);
  if (at == ids.end() || *at != id) return std::nullopt;
  return static_cast<std::uint32_t>(at - ids.begin());
}

inline sparse_rows transpose(const sparse_rows& rows, std::size_t n_columns) {
  sparse_rows turned;
  turned.begins.assign(n_columns + 1, 0);
  for (const std::uint32_t column : rows.columns) ++turned.begins[column + 1];
  for (std::size_t c = 0; c < n_columns; ++c) turned.begins[c + 1] += turned.begins[c];

  turned.columns.resize(rows.columns.size());
  turned.values.resize(rows.values.size());
  std::vector<std::size_t> next(turned.begins.begin(), turned.begins.end() - 1);
  for (std::size_t row = 0; row < rows.size(); ++row)
    for (std::size_t from = rows.begins[row]; from < rows.begins[row + 1]; ++from) {
      const std::size_t to = next[rows.columns[from]]++;
      turned.columns[to] = static_cast<std::uint32_t>(row);
      if (!rows.values.empty()) turned.values[to] = rows.values[from];
    }
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

/// The latest rating of a pair counts, and of several with the same timestamp the last one in the order given.
inline interactions index_ratings(std::span<const rating> ratings) {
  std::vector<std::size_t> order(ratings.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const rating &x = ratings[a], &y = ratings[b];
    return std::tie(x.user, x.item, x.timestamp, a) < std::tie(y.user, y.item, y.timestamp, b);
  });

  interactions data{distinct_ids(ratings, &rating::user), distinct_ids(ratings, &rating::item), {}, {}};
  for (std::size_t at = 0; at < order.size(); ++at) {
    const rating& one = ratings[order[at]];
    const rating* const next = at + 1 < order.size() ? &ratings[order[at + 1]] : nullptr;
    if (next != nullptr && next->user == one.user && next->item == one.item) {
      ++data.n_repeated;
      continue;
    }
    data.by_user.columns.push_back(*number_of(data.item_ids, one.item));
    data.by_user.values.push_back(one.value);
    if (next == nullptr || next->user != one.user) data.by_user.begins.push_back(data.by_user.columns.size());
  }
  data.by_item = transpose(data.by_user, data.item_ids.size());
  return data;
}

} // namespace recsys
