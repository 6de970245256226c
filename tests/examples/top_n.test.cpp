// lk-parallel | SPDX-License-Identifier: MIT

#include <cstdint>
#include <vector>

#include <support/catch.hpp>

#include <recsys/top_n.hpp>

using namespace recsys;

namespace {

/// One feature, so that an item's score is its factor: 7 items, user 0 has seen item 1, user 1 all but item 6.
recommender small_model() {
  recommender made;
  made.model.users = factors::Ones(1, 2);
  made.model.items.resize(1, 7);
  made.model.items << 0.5f, 9.0f, 0.25f, 0.5f, -1.0f, 0.75f, 0.5f;
  made.data.by_user = {{0, 1, 7}, {1, 0, 1, 2, 3, 4, 5}};
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
