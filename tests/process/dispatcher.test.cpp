// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>

#include <sched.h>

#include <lk/parallel/base/affinity.hpp>
#include <lk/parallel/process/dispatcher.hpp>
#include <lk/parallel/process/worker_slot.hpp>
#include <lk/parallel/shm/channel.hpp>

using namespace lk::parallel;
using process::slot_state;
using process::worker_slot;

namespace {

/// The calling thread stays on the processor it is on.
class stay_here {
 public:
  stay_here() { base::set_affinity_of(0, {cpu_}); }
  ~stay_here() { base::set_affinity_of(0, before_); }
  int cpu() const { return cpu_; }

 private:
  base::cpu_list before_ = base::affinity_of(0);
  int cpu_ = ::sched_getcpu();
};

constexpr std::chrono::nanoseconds short_task{10}, usual_task = std::chrono::microseconds(100),
                                                   long_task = std::chrono::milliseconds(1);

/// A dispatcher whose two workers are played by the test.
struct two_workers {
  static constexpr std::size_t ring_bytes = 64 << 10;

  stay_here place;
  shm::pool_memory memory{2, ring_bytes, ring_bytes};
  process::dispatcher tasks{memory};
  worker_slot& first = tasks.slot(0);
  worker_slot& second = tasks.slot(1);

  two_workers() {
    for (worker_slot& slot : tasks.slots()) slot.state = slot_state::running;
    tasks.begin_map({.argument_bytes = sizeof(int)});
  }
  /// Both are known to take so long for a task.
  explicit two_workers(std::chrono::nanoseconds each) : two_workers() {
    for (worker_slot& slot : tasks.slots()) {
      slot.channel().status->add_work(1000, 1000 * each);
      slot.learn_depth();
    }
  }

  void fall_asleep(worker_slot& slot, int cpu) {
    slot.channel().status->slept_on = cpu;
    slot.channel().status->sleep_begins(false);
  }
  int elsewhere() const { return place.cpu() + 1; }

  void submit(std::size_t n) {
    while (n > 0) {
      REQUIRE(tasks.has_room());
      auto run = tasks.open_run();
      const std::size_t in_run = std::min(n, run.n_left);
      std::memset(run.next, 0, in_run * sizeof(int));
      tasks.close_run(in_run);
      n -= in_run;
    }
  }
  std::size_t submit_all_there_is_room_for() {
    std::size_t n = 0;
    for (; tasks.has_room(); ++n) submit(1);
    return n;
  }
};

} // namespace

TEST_CASE("a short task goes to a worker that is awake rather than to one that must be woken") {
  two_workers the(short_task);
  the.fall_asleep(the.second, the.elsewhere());
  the.submit(1000);
  REQUIRE(the.first.outstanding().size() == 1000);
  REQUIRE(!the.second.has_tasks());
}

TEST_CASE("a worker that sleeps is not woken for short tasks where one that is awake has its fill") {
  two_workers the(short_task);
  the.fall_asleep(the.second, the.elsewhere());
  const std::size_t n = the.submit_all_there_is_room_for();
  REQUIRE(n == the.first.outstanding().size());
  REQUIRE(the.tasks.call_sleepers()); // it has gone without
  const std::size_t n_more = the.submit_all_there_is_room_for();
  REQUIRE(n_more > 0);
  REQUIRE(n_more == the.second.outstanding().size());
}

TEST_CASE("workers that sleep have tasks from when the host calls them until it has looked again") {
  two_workers the(short_task);
  the.fall_asleep(the.second, the.elsewhere());
  the.submit(100);
  REQUIRE(the.tasks.call_sleepers());
  the.submit(600); // more than the batch that was begun
  REQUIRE(the.second.has_tasks());
  the.tasks.publish();
  the.tasks.note_look();
  const std::size_t had = the.second.outstanding().size();
  the.submit(2000);
  REQUIRE(the.second.outstanding().size() == had);
}

TEST_CASE("a call lasts until there is something to be given") {
  two_workers the(short_task);
  the.fall_asleep(the.second, the.elsewhere());
  the.submit(100);
  REQUIRE(the.tasks.call_sleepers());
  the.tasks.publish();
  the.tasks.note_look(); // a look with no room in the window, say
  the.submit(600);
  REQUIRE(the.second.has_tasks());
}

TEST_CASE("no worker has gone without a task where all are awake") {
  two_workers the(short_task);
  the.submit_all_there_is_room_for();
  REQUIRE(the.first.has_tasks());
  REQUIRE(the.second.has_tasks());
  REQUIRE(!the.tasks.call_sleepers());
}

TEST_CASE("of workers that all sleep, one that does not sleep on the host's processor is woken") {
  two_workers the(short_task);
  the.fall_asleep(the.first, the.place.cpu());
  the.fall_asleep(the.second, the.elsewhere());
  the.submit(1000);
  REQUIRE(!the.first.has_tasks());
  REQUIRE(the.second.outstanding().size() == 1000);
}

TEST_CASE("a worker that will be woken for a task gets the next ones, too") {
  two_workers the(short_task);
  the.fall_asleep(the.first, the.elsewhere());
  the.fall_asleep(the.second, the.elsewhere());
  the.submit(2000);
  const bool only_one = the.first.has_tasks() != the.second.has_tasks();
  REQUIRE(only_one);
}

TEST_CASE("tasks that are long, or may be, go to the worker with the fewest, awake or not") {
  two_workers known(long_task), unknown;
  for (two_workers* const the : {&known, &unknown}) {
    the->fall_asleep(the->second, the->place.cpu());
    the->submit(2);
    REQUIRE(the->first.outstanding().size() == 1);
    REQUIRE(the->second.outstanding().size() == 1);
  }
}

TEST_CASE("a host that waits again and again has the sleepers help, though each wait is short") {
  two_workers the(short_task);
  the.fall_asleep(the.second, the.elsewhere());
  the.submit(100);
  for (int i = 0; i < 2; ++i) {
    the.tasks.note_wait(); // now and then: no
    the.tasks.note_look();
  }
  the.submit(1000);
  REQUIRE(!the.second.has_tasks());
  for (int i = 0; i < 20; ++i) {
    the.tasks.note_look();
    the.tasks.note_wait();
  }
  REQUIRE(the.tasks.call_sleepers()); // it is not to sleep before they have their tasks
  the.submit(600);
  REQUIRE(the.second.has_tasks());
}

TEST_CASE("a map of many tasks has long queues, and short ones when few are left") {
  two_workers not_known(usual_task), many_left(usual_task), few_left(usual_task);
  many_left.tasks.expect(1000);
  few_left.tasks.expect(30);
  const std::size_t usual = not_known.submit_all_there_is_room_for();
  REQUIRE(many_left.submit_all_there_is_room_for() > 3 * usual);
  const std::size_t near_the_end = few_left.submit_all_there_is_room_for();
  REQUIRE(near_the_end < usual);
  REQUIRE(near_the_end >= 4);
}

TEST_CASE("more tasks than a map was to have find room as well") {
  two_workers the;
  the.tasks.expect(3);
  for (int i = 0; i < 50; ++i) {
    the.submit_all_there_is_room_for();
    for (worker_slot& slot : the.tasks.slots())
      if (slot.has_tasks()) slot.tasks().answered(slot.outstanding().n_in_oldest_frame());
  }
  REQUIRE(the.tasks.has_room());
}

TEST_CASE("what a worker without tasks is given between two looks at the workers is published") {
  two_workers the;
  REQUIRE(the.tasks.has_room()); // for one of them
  REQUIRE(the.tasks.oldest() == nullptr);
  the.submit(1);
  REQUIRE(the.tasks.oldest() != nullptr);
  the.tasks.publish();
  for (const worker_slot& slot : the.tasks.slots()) REQUIRE(!slot.tasks().has_unpublished());

  REQUIRE(the.tasks.has_room());
  the.tasks.begin_task().put(7); // encoded, and not in a run
  the.tasks.end_task();
  the.tasks.publish();
  for (const worker_slot& slot : the.tasks.slots()) REQUIRE(!slot.tasks().has_unpublished());
}

TEST_CASE("a worker is among those with tasks as long as it has any, and once only") {
  two_workers the(short_task);
  the.submit(3000);
  REQUIRE(the.tasks.with_tasks().size() == 2);
  while (the.first.has_tasks()) the.first.tasks().answered(the.first.outstanding().n_in_oldest_frame());
  REQUIRE(the.tasks.oldest() == &the.second);
  REQUIRE(the.tasks.with_tasks().size() == 2); // it has something to be published
  the.tasks.publish();
  REQUIRE(the.tasks.oldest() == &the.second);
  REQUIRE(the.tasks.with_tasks().size() == 1);
  the.submit(3000);
  REQUIRE(the.tasks.with_tasks().size() == 2);
}
