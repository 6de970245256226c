// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/in_child.hpp"

#include <csignal>
#include <ranges>
#include <string>
#include <thread>

#include <sys/resource.h>
#include <unistd.h>

#include <lk/parallel.hpp>

using namespace lk::parallel;
using lk::parallel::testing::in_child;

TEST_CASE("the first signal cancels the map and the second has its default action") {
  REQUIRE(in_child([] {
            invoker inv{0, [](const int&, int x) { return x; }, {.n_jobs = 2, .stop = stop_on_signals()}};
            try {
              for (const int x : inv.map(std::views::iota(0)))
                if (x == 100) ::kill(0, SIGINT); // the whole group, as Ctrl-C does
              return 1;
            } catch (const cancelled&) {
            }
            inv.shutdown();
            ::raise(SIGINT);
            return 2;
          }) == testing::killed(SIGINT));
}

TEST_CASE("a signal that was not asked for keeps its action") {
  REQUIRE(in_child([] {
            const auto stop = stop_on_signals({SIGUSR1});
            ::raise(SIGUSR1);
            while (!stop.stop_requested()) std::this_thread::yield();
            ::raise(SIGTERM);
            return 0;
          }) == testing::killed(SIGTERM));
}

TEST_CASE("where no thread can wait for signals, that is a resource error, and a later call may go well") {
  constexpr uid_t nobody = 65534;
  CHECK(in_child([] {
          rlimit before{};
          ::getrlimit(RLIMIT_NPROC, &before);
          const rlimit none{1, before.rlim_max};
          ::setrlimit(RLIMIT_NPROC, &none);
          if (::geteuid() == 0 && ::setuid(nobody) != 0) return 3; // the limit does not hold for root
          try {
            (void)stop_on_signals();
            return 1;
          } catch (const resource_error& e) {
            if (std::string(e.what()).find("pthread_create") == std::string::npos) return 2;
          }
          ::setrlimit(RLIMIT_NPROC, &before);
          const auto stop = stop_on_signals({SIGUSR1});
          ::raise(SIGUSR1);
          while (!stop.stop_requested()) std::this_thread::yield();
          return 0;
        }) == testing::exited(0));
}
