// lk-parallel | SPDX-License-Identifier: MIT
#include <link.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <thread>
#include <vector>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <lk/parallel/initialize.hpp>
#include <lk/parallel/runtime.hpp>
#include <support/catch.hpp>
#include <support/in_child.hpp>

// The knobs are set once in a process, so each case has a process of its own.

using namespace lk::parallel;
using testing::exited;
using testing::in_child;
using testing::killed;

namespace {

/// Runs fn and hands back what was logged meanwhile.
template <class Fn> std::string logged_during(Fn&& fn) {
  std::ostringstream text;
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)));
  fn();
  return text.str();
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("asking for the knobs initialises with the defaults of this machine") {
  CHECK(in_child([] {
          const ParallelConfig expected = config::resolve({}, config::read_environment(), effective_cpu_count());
          return get_parallel_config() == expected ? 0 : 1;
        }) == exited(0));
}

TEST_CASE("arguments go before the environment") {
  CHECK(in_child([] {
          ::setenv("LK_NUM_PROCS", "7", 1);
          ::setenv("LK_NUM_CHILD_THREADS", "-1", 1);
          initialize({.threads = 3});
          const ParallelConfig& config = get_parallel_config();
          return config.processes == 7 && config.threads == 3 && config.child_threads == -1 ? 0 : 1;
        }) == exited(0));
}

TEST_CASE("a second initialize warns and changes nothing; ensure_parallel_init is silent") {
  CHECK(in_child([] {
          initialize({.processes = 2});
          const ParallelConfig before = get_parallel_config();
          const std::string quiet = logged_during([] { ensure_parallel_init(); });
          if (!quiet.empty()) return 1;
          const std::string text = logged_during([] { initialize({.processes = 3}); });
          if (!has(text, "warning") || !has(text, "changes nothing")) return 2;
          return get_parallel_config() == before ? 0 : 3;
        }) == exited(0));
}

TEST_CASE("a failed initialize leaves all as it was, so that a corrected call works") {
  CHECK(in_child([] {
          try {
            initialize({.processes = 0});
            return 1;
          } catch (const config_error&) {
          }
          ::setenv("LK_NUM_THREADS", "many", 1);
          try {
            (void)get_parallel_config();
            return 2;
          } catch (const config_error& e) {
            if (e.variable != "LK_NUM_THREADS" || e.text != "many") return 3;
          }
          ::unsetenv("LK_NUM_THREADS");
          const std::string text = logged_during([] { initialize({.processes = 3}); });
          return text.empty() && get_parallel_config().processes == 3 ? 0 : 4;
        }) == exited(0));
}

TEST_CASE("many threads that initialise at once agree") {
  CHECK(in_child([] {
          spdlog::set_level(spdlog::level::off);
          std::vector<const ParallelConfig*> seen(8);
          std::atomic<std::size_t> ready{0};
          std::vector<std::thread> threads;
          for (std::size_t i = 0; i < seen.size(); ++i) {
            threads.emplace_back([&, i] {
              ++ready;
              while (ready < seen.size()) std::this_thread::yield();
              if (i % 2 == 0) initialize({.processes = static_cast<int>(i) + 1});
              seen[i] = &get_parallel_config();
            });
          }
          for (std::thread& thread : threads) thread.join();
          for (const ParallelConfig* config : seen) {
            if (config != seen[0] || !(*config == *seen[0])) return 1;
          }
          return 0;
        }) == exited(0));
}

TEST_CASE("a worker has the knobs of a worker, and initialize does nothing there") {
  CHECK(in_child([] {
          initialize({.processes = 3, .threads = 2, .child_threads = 2});
          const auto result = in_child([] {
            front::runtime::instance().become_worker(true);
            const std::string text = logged_during([] { initialize({.processes = 5}); });
            if (!text.empty()) return 1;
            return get_parallel_config() == ParallelConfig{1, 1, 2, 1} ? 0 : 2;
          });
          if (!(result == exited(0))) return 1;
          return get_parallel_config().processes == 3 ? 0 : 2;
        }) == exited(0));
}

namespace {

/// Ends this process by SIGALRM where the dynamic linker's lock was copied while held, by the thread that looks for
/// libraries just then. Such a child can do nothing, and an invoker gives it up; here, too.
void require_the_linkers_lock() {
  constexpr unsigned long_enough = 5;
  ::alarm(long_enough);
  ::dl_iterate_phdr([](dl_phdr_info*, std::size_t, void*) { return 1; }, nullptr);
  ::alarm(0);
}

} // namespace

TEST_CASE("a fork while another thread initialises does not stop a worker") {
  int n_good = 0;
  for (int round = 0; n_good < 10 && round < 100; ++round) {
    const auto result = in_child([] {
      front::runtime& ours = front::runtime::instance(); // known before the fork, as in the process back end
      std::thread other([] { initialize(); });
      const auto worker = in_child([&] {
        require_the_linkers_lock();
        ours.become_worker(true);
        initialize({.processes = 5});
        return get_parallel_config().processes;
      });
      other.join();
      if (worker == killed(SIGALRM)) return 2;
      return worker == exited(1) ? 0 : 1;
    });
    if (result == exited(2)) continue;
    REQUIRE(result == exited(0));
    ++n_good;
  }
  CHECK(n_good == 10);
}

TEST_CASE("the number of CPUs is at least one") { CHECK(effective_cpu_count() >= 1); }
