// lk-parallel | SPDX-License-Identifier: MIT

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lk/parallel.hpp>

// Own types as arguments and results: structs that travel as they are, and a class that needs a codec.
// docs/guide/own-types.md shows the marked lines.

//! [class]
/// Item numbers in ascending order, none of them twice.
class item_set {
 public:
  explicit item_set(std::vector<std::uint32_t> items) : items_(std::move(items)) {
    std::sort(items_.begin(), items_.end());
    items_.erase(std::unique(items_.begin(), items_.end()), items_.end());
  }
  bool contains(std::uint32_t item) const { return std::binary_search(items_.begin(), items_.end(), item); }
  const std::vector<std::uint32_t>& items() const { return items_; }

 private:
  std::vector<std::uint32_t> items_;
};
//! [class]

//! [codec]
template <> struct lk::parallel::codec<item_set> {
  static void encode(const item_set& set, wire::writer& out) { wire::encode(set.items(), out); }
  static item_set decode(wire::reader& in) {
    auto items = wire::decode<std::vector<std::uint32_t>>(in);
    if (std::adjacent_find(items.begin(), items.end(), std::greater_equal<>()) != items.end())
      throw wire_error("an item_set arrived whose items are not in ascending order");
    return item_set(std::move(items));
  }
};
//! [codec]

//! [aggregates]
struct request {
  std::string user;
  item_set seen; // has a codec of its own
  std::optional<std::size_t> length;
};
struct scored_item {
  std::uint32_t item;
  float score;
};
struct answer {
  std::string user;
  std::vector<scored_item> best;
};

static_assert(lk::parallel::codable_argument<request>);
static_assert(lk::parallel::codable_result<answer>);
static_assert(lk::parallel::codable_argument<std::string_view> && !lk::parallel::codable_result<std::string_view>);
static_assert(!lk::parallel::codable<const char*>);
//! [aggregates]

struct popularity_model {
  std::vector<float> scores; ///< by item number
};

/// The best items that the user has not seen, the best first.
answer recommend(const popularity_model& model, const request& asked) {
  answer given{asked.user, {}};
  for (std::uint32_t item = 0; item < model.scores.size(); ++item)
    if (!asked.seen.contains(item)) given.best.push_back({item, model.scores[item]});
  std::sort(given.best.begin(), given.best.end(),
            [](const scored_item& a, const scored_item& b) { return a.score > b.score; });
  given.best.resize(std::min(given.best.size(), asked.length.value_or(2)));
  return given;
}

int main() {
  const popularity_model model{{0.3f, 0.9f, 0.5f, 0.7f}};
  const std::vector<request> requests{{"ann", item_set({1}), {}}, {"ben", item_set({3, 1, 3}), 1}};

  lk::parallel::invoker inv{model, recommend, {.n_jobs = 2}};
  for (const answer& given : inv.map(requests)) {
    std::cout << given.user << ':';
    for (const scored_item& one : given.best) std::cout << ' ' << one.item << " (" << one.score << ')';
    std::cout << '\n';
  }
}
