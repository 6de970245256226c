// lk-parallel | SPDX-License-Identifier: MIT

#include <cstdint>
#include <stdexcept>
#include <variant>
#include <vector>

#include <support/catch.hpp>

#include <recsys/top_n.hpp>

using namespace recsys;

namespace {

/// One feature, so that an item's score is its factor: 7 items, user 0 has seen item 1, user 1 all but item 6.
recommender small_model() {
  recommender made;
  als_model model{factors::Ones(1, 2), factors(1, 7)};
  model.items << 0.5f, 9.0f, 0.25f, 0.5f, -1.0f, 0.75f, 0.5f;
  made.model = model;
  made.data.user_ids = {10, 20};
  made.data.item_ids = {0, 1, 2, 3, 4, 5, 6};
  made.data.by_user = {{0, 1, 7}, {1, 0, 1, 2, 3, 4, 5}, std::vector<float>(7, 3)};
  return made;
}

} // namespace

TEST_CASE("the best unseen items come first, and of equal scores the lower item", "[top_n]") {
  const recommender from = small_model();
  CHECK(top_n(4)(from, 0) == std::vector<scored_item>{{5, 0.75f}, {0, 0.5f}, {3, 0.5f}, {6, 0.5f}});
  CHECK(top_n(2)(from, 0) == std::vector<scored_item>{{5, 0.75f}, {0, 0.5f}}); // a tie at the cut
}

TEST_CASE("a list ends where the unseen items end", "[top_n]") {
  const recommender from = small_model();
  top_n first_hundred(100);
  CHECK(first_hundred(from, 0).size() == 6);
  CHECK(first_hundred(from, 1) == std::vector<scored_item>{{6, 0.5f}});
}

TEST_CASE("scratch memory of one user does not show in the next list", "[top_n]") {
  const recommender from = small_model();
  top_n again(3);
  const std::vector<scored_item> first = again(from, 0);
  again(from, 1);
  CHECK(again(from, 0) == first);
}

TEST_CASE("candidates are the only items of a list, and seen ones are in it where that is asked for", "[top_n]") {
  const recommender from = small_model();
  list_options options{.n = 3, .all_items = false, .candidates = {1, 2, 5, 6}};
  CHECK(top_n(options)(from, 0) == std::vector<scored_item>{{5, 0.75f}, {6, 0.5f}, {2, 0.25f}});
  CHECK(top_n(options)(from, 1) == std::vector<scored_item>{{6, 0.5f}});
  options.exclude_seen = false;
  CHECK(top_n(options)(from, 1) == std::vector<scored_item>{{1, 9.0f}, {5, 0.75f}, {6, 0.5f}});
  options.all_items = true;
  CHECK(top_n(options)(from, 0) == std::vector<scored_item>{{1, 9.0f}, {5, 0.75f}, {0, 0.5f}});
}

TEST_CASE("items without a score are in no list", "[top_n]") {
  recommender from = small_model();
  std::get<als_model>(from.model).items(0, 5) = static_cast<float>(no_score);
  CHECK(top_n(2)(from, 0) == std::vector<scored_item>{{0, 0.5f}, {3, 0.5f}});
}

TEST_CASE("one scorer serves users of one recommender after the other, and then another recommender", "[scorer]") {
  const recommender first = small_model();
  recommender second = small_model();
  second.data.item_ids.resize(3);
  second.data.by_user = {{0, 1, 1}, {2}, {3}};
  second.model = popularity_model{{1, 0, 7}};
  top_n best(2);
  CHECK(best(first, 1) == std::vector<scored_item>{{6, 0.5f}});
  CHECK(best(second, 0) == std::vector<scored_item>{{0, 1}, {1, 0}});
  CHECK(best(first, 0) == std::vector<scored_item>{{5, 0.75f}, {0, 0.5f}});
  CHECK_THROWS_AS(scorer().predict(second, 0, std::vector<std::uint32_t>{1}), std::invalid_argument);
}
