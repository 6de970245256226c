// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <hwloc.h>

#include <lk/parallel/config/place_workers.hpp>
#include <support/catch.hpp>

// Where workers are put on machines that this one is not: the topologies are hwloc's synthetic ones.

using namespace lk::parallel;
using base::cpu_list;
using config::place_workers;
using config::placement_request;
using config::worker_place;
using testing::contains;

namespace {

/// A machine made up from a sentence of hwloc's ("pack:2 core:8 pu:2"). Its CPUs are numbered in order.
class machine {
 public:
  explicit machine(const std::string& description) {
    hwloc_topology_t raw = nullptr;
    REQUIRE(hwloc_topology_init(&raw) == 0);
    topology_.reset(raw);
    REQUIRE(hwloc_topology_set_synthetic(raw, description.c_str()) == 0);
    REQUIRE(hwloc_topology_load(raw) == 0);
  }

  hwloc_topology* get() const { return topology_.get(); }
  cpu_list all() const {
    cpu_list cpus(static_cast<std::size_t>(hwloc_get_nbobjs_by_type(get(), HWLOC_OBJ_PU)));
    for (std::size_t i = 0; i < cpus.size(); ++i)
      cpus[i] = static_cast<int>(hwloc_get_obj_by_type(get(), HWLOC_OBJ_PU, static_cast<unsigned>(i))->os_index);
    std::sort(cpus.begin(), cpus.end());
    return cpus;
  }
  std::vector<worker_place> place(const placement_request& asked) const { return place_workers(get(), all(), asked); }

  /// Numbers of the objects of a kind that these CPUs lie in.
  std::set<unsigned> which(hwloc_obj_type_t type, const cpu_list& cpus) const {
    std::set<unsigned> found;
    for (const int cpu : cpus) {
      const hwloc_obj_t pu = hwloc_get_pu_obj_by_os_index(get(), static_cast<unsigned>(cpu));
      for (int i = 0; i < hwloc_get_nbobjs_by_type(get(), type); ++i) {
        const hwloc_obj_t object = hwloc_get_obj_by_type(get(), type, static_cast<unsigned>(i));
        if (hwloc_bitmap_isset(object->cpuset, pu->os_index)) found.insert(object->logical_index);
      }
    }
    return found;
  }

 private:
  config::topology_ptr topology_;
};

cpu_list cpus_of_threads(const worker_place& place) {
  cpu_list cpus;
  for (const cpu_list& thread : place.threads) cpus.insert(cpus.end(), thread.begin(), thread.end());
  std::sort(cpus.begin(), cpus.end());
  return cpus;
}

cpu_list cpus_of_all(const std::vector<worker_place>& places) {
  cpu_list cpus;
  for (const worker_place& place : places) cpus.insert(cpus.end(), place.cpus.begin(), place.cpus.end());
  return cpus;
}

/// Empty where every promise that holds for all modes is kept, else the one that is broken.
std::string broken_promise(const std::vector<worker_place>& places, const cpu_list& allowed,
                           const placement_request& asked) {
  if (places.size() != static_cast<std::size_t>(asked.n_workers)) return "a place for each worker";
  std::set<int> given;
  for (const worker_place& place : places) {
    if (place.cpus.empty()) return "no worker is without a CPU";
    if (!std::is_sorted(place.cpus.begin(), place.cpus.end())) return "masks are sorted";
    for (const int cpu : place.cpus) {
      if (!given.insert(cpu).second) return "no CPU is given twice";
      if (!std::binary_search(allowed.begin(), allowed.end(), cpu)) return "all CPUs are allowed ones";
    }
    if (asked.threads_each < 1 && !place.threads.empty()) return "no thread is bound where libraries choose";
    if (asked.threads_each < 1) continue;
    if (place.threads.size() != static_cast<std::size_t>(asked.threads_each)) return "a CPU for each thread";
    for (const cpu_list& thread : place.threads)
      if (thread.size() != 1) return "a thread has one CPU";
    if (cpus_of_threads(place) != place.cpus) return "a worker has the CPUs of its threads and no more";
  }
  if (asked.threads_each == -1 && asked.mode != placement::numa && given.size() != allowed.size())
    return "nothing is left over where libraries choose";
  return "";
}

constexpr const char* two_by_eight_by_two = "pack:2 [numa] l3:1 core:8 pu:2";
/// As Linux numbers them as a rule: CPU 8 is the second hardware thread of CPU 0's core.
constexpr const char* siblings_far_apart = "pack:2 [numa] core:4 pu:2(indexes=0,8,1,9,2,10,3,11,4,12,5,13,6,14,7,15)";
constexpr const char* four_nodes = "pack:2 group:2 [numa] l3:1 core:4 pu:2";

/// Every second, every third ... CPU, and one-sided masks.
std::vector<cpu_list> masks_of(const cpu_list& all) {
  std::vector<cpu_list> masks{all};
  for (const std::size_t step : {std::size_t{2}, std::size_t{3}, std::size_t{5}}) {
    cpu_list some;
    for (std::size_t i = 0; i < all.size(); i += step) some.push_back(all[i]);
    masks.push_back(some);
  }
  masks.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(all.size() / 3), all.end());
  cpu_list lopsided; // both threads of some cores, one of others, none of the rest
  for (const int cpu : all)
    if (cpu % 7 != 3 && cpu % 5 != 1) lopsided.push_back(cpu);
  masks.push_back(lopsided);
  return masks;
}

} // namespace

TEST_CASE("whatever the machine, the mask and the numbers: CPUs are disjoint, allowed, and as many as asked for") {
  const std::string description =
      GENERATE(as<std::string>(), two_by_eight_by_two, four_nodes, "core:4 pu:1", "core:2 pu:1", "pu:1",
               "pack:1 core:2 pu:4", "pack:4 [numa] core:3 pu:1", "pack:2 core:2 pu:1", siblings_far_apart);
  const machine here(description);
  int n_placed = 0, n_refused = 0;
  for (const cpu_list& allowed : masks_of(here.all()))
    for (const placement mode : {placement::spread, placement::compact, placement::numa})
      for (int n_workers = 1; n_workers <= 12; ++n_workers)
        for (const int threads_each : {-1, 1, 2, 3, 4}) {
          const placement_request asked{.mode = mode, .n_workers = n_workers, .threads_each = threads_each};
          CAPTURE(description, to_string(mode), n_workers, threads_each, allowed);
          const bool fits = static_cast<std::size_t>(n_workers) * static_cast<std::size_t>(std::max(threads_each, 1)) <=
                            allowed.size();
          std::vector<worker_place> places;
          try {
            places = place_workers(here.get(), allowed, asked);
          } catch (const config_error&) {
            ++n_refused;
            if (mode != placement::numa) REQUIRE_FALSE(fits);
            continue;
          }
          ++n_placed;
          REQUIRE(fits);
          REQUIRE(broken_promise(places, allowed, asked) == "");
          if (mode == placement::spread && threads_each > 0) {
            const std::size_t n = static_cast<std::size_t>(n_workers * threads_each);
            const std::size_t n_cores = here.which(HWLOC_OBJ_CORE, allowed).size();
            REQUIRE(here.which(HWLOC_OBJ_CORE, cpus_of_all(places)).size() == std::min(n, n_cores));
          }
          for (const worker_place& place : places) {
            REQUIRE(place.own_memory == (mode == placement::numa));
            if (mode == placement::numa) REQUIRE(here.which(HWLOC_OBJ_NUMANODE, place.cpus).size() == 1);
          }
        }
  CHECK(n_placed > 0);
  CHECK(n_refused > 0);
}

TEST_CASE("spread puts workers on packages of their own, then on cores of their own, then on hardware threads") {
  const machine here(two_by_eight_by_two);
  const auto two = here.place({.mode = placement::spread, .n_workers = 2, .threads_each = 4});
  CHECK(here.which(HWLOC_OBJ_PACKAGE, two[0].cpus) == std::set<unsigned>{0});
  CHECK(here.which(HWLOC_OBJ_PACKAGE, two[1].cpus) == std::set<unsigned>{1});
  CHECK(here.which(HWLOC_OBJ_CORE, two[0].cpus) == std::set<unsigned>{0, 2, 4, 6});
  CHECK(here.which(HWLOC_OBJ_CORE, two[1].cpus) == std::set<unsigned>{8, 10, 12, 14});

  const auto one_each = here.place({.mode = placement::spread, .n_workers = 16, .threads_each = 1});
  for (unsigned i = 0; i < 16; ++i) CHECK(here.which(HWLOC_OBJ_CORE, one_each[i].cpus) == std::set<unsigned>{i});

  const auto whole = here.place({.mode = placement::spread, .n_workers = 2, .threads_each = 16});
  CHECK(whole[0].cpus.size() == 16);
  CHECK(here.which(HWLOC_OBJ_PACKAGE, whole[0].cpus) == std::set<unsigned>{0});
}

TEST_CASE("spread keeps the threads of a worker in one package where whole workers fit") {
  const machine here(two_by_eight_by_two);
  for (const placement_request& asked :
       std::vector<placement_request>{{.n_workers = 3, .threads_each = 2}, {.n_workers = 5, .threads_each = 2}}) {
    auto wish = asked;
    wish.mode = placement::spread;
    for (const worker_place& place : here.place(wish)) {
      CAPTURE(wish.n_workers, place.cpus);
      CHECK(here.which(HWLOC_OBJ_PACKAGE, place.cpus).size() == 1);
    }
  }
}

TEST_CASE("spread and numa give no core to two threads before every core has one") {
  const std::string description = GENERATE(as<std::string>(), two_by_eight_by_two, siblings_far_apart, four_nodes);
  const machine here(description);
  const std::size_t n_cores = static_cast<std::size_t>(hwloc_get_nbobjs_by_type(here.get(), HWLOC_OBJ_CORE));
  const std::size_t n_nodes = static_cast<std::size_t>(hwloc_get_nbobjs_by_type(here.get(), HWLOC_OBJ_NUMANODE));
  for (const placement mode : {placement::spread, placement::numa})
    for (int n_workers = 1; n_workers <= 8; ++n_workers)
      for (int threads_each = 1; threads_each <= 4; ++threads_each) {
        const auto n = static_cast<std::size_t>(n_workers * threads_each);
        const auto on_fullest_node = (static_cast<std::size_t>(n_workers) + n_nodes - 1) / n_nodes;
        const bool enough_cores = mode == placement::numa
                                      ? on_fullest_node * static_cast<std::size_t>(threads_each) <= n_cores / n_nodes
                                      : n <= n_cores;
        if (!enough_cores) continue;
        const auto places = here.place({.mode = mode, .n_workers = n_workers, .threads_each = threads_each});
        cpu_list all;
        for (const worker_place& place : places) {
          CAPTURE(description, to_string(mode), n_workers, threads_each, place.cpus);
          CHECK(here.which(HWLOC_OBJ_CORE, place.cpus).size() == static_cast<std::size_t>(threads_each));
        }
        for (const worker_place& place : places) all.insert(all.end(), place.cpus.begin(), place.cpus.end());
        CHECK(here.which(HWLOC_OBJ_CORE, all).size() == n);
      }
}

TEST_CASE("spread over a lopsided mask uses each core that there is before a second hardware thread") {
  const machine here("pack:2 core:4 pu:2"); // cores 0 to 3 are CPUs 0 to 7
  const cpu_list allowed{0, 1, 2, 5, 6, 9}; // core 0 twice, cores 1, 2, 3 and 4 once
  for (const int n_workers : {1, 5}) {
    const auto places = place_workers(
        here.get(), allowed, {.mode = placement::spread, .n_workers = n_workers, .threads_each = 5 / n_workers});
    cpu_list all;
    for (const worker_place& place : places) all.insert(all.end(), place.cpus.begin(), place.cpus.end());
    CHECK(here.which(HWLOC_OBJ_CORE, all) == std::set<unsigned>{0, 1, 2, 3, 4});
  }
}

TEST_CASE("spread leaves no core idle while another has two threads, though the mask be lopsided") {
  const machine here("pack:2 core:4 pu:2");
  const cpu_list allowed{0, 1, 2, 3, 4, 6, 9}; // cores 0 and 1 twice, cores 2, 3 and 4 once
  for (const int n_workers : {1, 2, 3, 6}) {
    const auto places = place_workers(
        here.get(), allowed, {.mode = placement::spread, .n_workers = n_workers, .threads_each = 6 / n_workers});
    CAPTURE(n_workers, cpus_of_all(places));
    CHECK(here.which(HWLOC_OBJ_CORE, cpus_of_all(places)) == std::set<unsigned>{0, 1, 2, 3, 4});
  }
  const machine usual(two_by_eight_by_two); // where it does come out even, workers stay whole
  for (const worker_place& place : usual.place({.mode = placement::spread, .n_workers = 3, .threads_each = 8}))
    CHECK(usual.which(HWLOC_OBJ_PACKAGE, place.cpus).size() == 1);
}

TEST_CASE("compact fills hardware threads, cores and packages in order") {
  const machine here(siblings_far_apart);
  const auto places = here.place({.mode = placement::compact, .n_workers = 3, .threads_each = 3});
  CHECK(places[0].threads == std::vector<cpu_list>{{0}, {8}, {1}});
  CHECK(places[1].threads == std::vector<cpu_list>{{9}, {2}, {10}});
  CHECK(places[2].threads == std::vector<cpu_list>{{3}, {11}, {4}});
  CHECK(places[1].cpus == cpu_list{2, 9, 10});
  const auto two = machine(two_by_eight_by_two).place({.mode = placement::compact, .n_workers = 2, .threads_each = 8});
  CHECK(here.which(HWLOC_OBJ_PACKAGE, {0, 8}) == std::set<unsigned>{0});
  CHECK(two[0].cpus == cpu_list{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(two[1].cpus == cpu_list{8, 9, 10, 11, 12, 13, 14, 15});
}

TEST_CASE("numa deals workers to the nodes in turn, and spreads them inside") {
  const machine here(four_nodes);
  const auto six = here.place({.mode = placement::numa, .n_workers = 6, .threads_each = 2});
  for (unsigned i = 0; i < 6; ++i) CHECK(here.which(HWLOC_OBJ_NUMANODE, six[i].cpus) == std::set<unsigned>{i % 4});
  const auto five = here.place({.mode = placement::numa, .n_workers = 5, .threads_each = -1});
  CHECK(five[0].cpus == cpu_list{0, 1, 2, 3}); // shares its node with worker 4
  CHECK(five[4].cpus == cpu_list{4, 5, 6, 7});
  CHECK(five[1].cpus == cpu_list{8, 9, 10, 11, 12, 13, 14, 15});
  const cpu_list allowed{0, 8, 9, 10, 11, 12, 30}; // a small node fills up early, one has nothing
  const auto uneven = place_workers(here.get(), allowed, {.mode = placement::numa, .n_workers = 5, .threads_each = 1});
  std::vector<unsigned> nodes;
  for (const worker_place& place : uneven) nodes.push_back(*here.which(HWLOC_OBJ_NUMANODE, place.cpus).begin());
  CHECK(nodes == std::vector<unsigned>{0, 1, 3, 1, 1});
}

TEST_CASE("a memory node that shares its CPUs with another is no second place for workers") {
  const machine here("pack:2 [numa] [numa] core:2 pu:1"); // usual memory and fast memory
  REQUIRE(hwloc_get_nbobjs_by_type(here.get(), HWLOC_OBJ_NUMANODE) == 4);
  const auto places = here.place({.mode = placement::numa, .n_workers = 4, .threads_each = 1});
  CHECK(broken_promise(places, here.all(), {.mode = placement::numa, .n_workers = 4}) == "");
  CHECK(here.which(HWLOC_OBJ_PACKAGE, places[0].cpus) == here.which(HWLOC_OBJ_PACKAGE, places[2].cpus));
}

TEST_CASE("where libraries choose their threads, the workers share out all CPUs") {
  const machine here(two_by_eight_by_two);
  for (const placement mode : {placement::spread, placement::compact, placement::numa}) {
    const auto places = here.place({.mode = mode, .n_workers = 4, .threads_each = -1});
    for (const worker_place& place : places) CHECK(place.cpus.size() == 8);
  }
}

TEST_CASE("none places nobody, however small the machine") {
  CHECK(machine("pu:1").place({.mode = placement::none, .n_workers = 9, .threads_each = 9}).empty());
}

TEST_CASE("too few CPUs are a config_error that says what was asked for, what there is and what to do") {
  const machine here(four_nodes);
  const auto refusal = [&](const cpu_list& allowed, const placement_request& asked) -> std::string {
    try {
      (void)place_workers(here.get(), allowed, asked);
      return "accepted";
    } catch (const config_error& e) {
      if (e.variable != asked.asked_by || e.text != to_string(asked.mode)) return "wrong facts";
      return e.what();
    }
  };
  const std::string small =
      refusal({0, 1, 2}, {.mode = placement::spread, .n_workers = 2, .threads_each = 2, .asked_by = "LK_BIND"});
  CHECK_THAT(small, contains("LK_BIND: \"spread\"") && contains("2 workers with 2 threads each need 4 CPUs") &&
                        contains("has 3;") && contains("n_jobs") && contains("LK_NUM_CHILD_THREADS") &&
                        contains("placement none"));
  CHECK_THAT(refusal({4}, {.mode = placement::compact, .n_workers = 2, .threads_each = -1}),
             contains("invoker_options::placement: \"compact\"") && contains("2 workers need 2 CPUs"));
  CHECK_THAT(refusal(here.all(), {.mode = placement::numa, .n_workers = 1, .threads_each = 9}),
             contains("1 worker with 9 threads each needs a NUMA node with 9 CPUs") && contains("the largest has 8"));
  CHECK_THAT(refusal(here.all(), {.mode = placement::numa, .n_workers = 5, .threads_each = 5}),
             contains("the 4 nodes that may be used have room for 4 whole workers"));
  CHECK_THAT(refusal({100, 200}, {.mode = placement::numa}), contains("has 0;"));
  CHECK_THAT(refusal({}, {.mode = placement::spread}), contains("has 0;"));
}

TEST_CASE("on this machine, one worker with all CPUs of the mask gets exactly those") {
  const cpu_list mine = base::affinity_of(0);
  REQUIRE_FALSE(mine.empty());
  for (const placement mode : {placement::spread, placement::compact}) {
    const auto places =
        config::place_workers_here({.mode = mode, .n_workers = 1, .threads_each = static_cast<int>(mine.size())});
    REQUIRE(places.size() == 1);
    CHECK(places[0].cpus == mine);
    CHECK_THROWS_AS(config::place_workers_here({.mode = mode, .n_workers = static_cast<int>(mine.size()) + 1}),
                    config_error);
  }
}
