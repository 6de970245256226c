// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/for_chunks.hpp>
#include <lk/parallel/initialize.hpp>
#include <support/in_child.hpp>
#include <support/procfs.hpp>
#include <threads/rendezvous.hpp>

#include "faults/fault.hpp"
#include "faults/host_tools.hpp"
#include "faults/pool.hpp"
#include "faults/run_time_backends.hpp"

// How many threads each library really gets in a worker, whatever the host did with it before: one fault for each state
// of the host, and in it a fresh host for each library and each number of child threads. Prints a table.

using namespace lk::parallel;
using namespace lk::parallel::faults;
using testing::exited;
using testing::in_child;

namespace {

/// A library whose threads can be counted. What loads it says false where it is not installed.
struct compute_library {
  const char* name;
  bool is_tbb;
  std::function<bool()> load;
  /// Calls the library and counts the threads that took part, where `expected` should.
  std::function<int(int expected)> count_threads;
};

/// Distinct threads in a region of this library. Every one stays until `expected` are there, so that none passes for
/// two.
int threads_of_region(int expected, const std::function<void(const std::function<void()>& body)>& run_region) {
  testing::rendezvous meeting(static_cast<std::size_t>(expected));
  run_region([&] { expect(meeting.meet(), "that many threads are there at the same time"); });
  return static_cast<int>(meeting.n_threads());
}

void tbb_loop(int n, const std::function<void()>& body) {
  oneapi::tbb::parallel_for(
      0, n, [&](int) { body(); }, oneapi::tbb::simple_partitioner());
}

int threads_of_tbb(int expected) {
  (void)threads_of_region(expected, [&](const auto& body) { tbb_loop(expected, body); });
  std::mutex mutex;
  std::set<std::thread::id> seen;
  tbb_loop(200, [&] {
    {
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
    }
    std::this_thread::yield();
  });
  return std::max(static_cast<int>(seen.size()), expected);
}

/// CPU time of each thread of this process. Units: nanoseconds.
std::map<std::string, long> cpu_times() {
  std::map<std::string, long> times;
  for (const std::string& thread : testing::names_in("/proc/self/task"))
    times[thread] = std::atol(base::read_small_file("/proc/self/task/" + thread + "/schedstat").value_or("0").c_str());
  return times;
}

// Small, because the threads of BLIS spin for each other, which takes its time where they outnumber the CPUs.
constexpr int product_size = 160;

/// For threads to be seen at work: on a busy machine a look may come too late many times over.
constexpr auto longest_look = std::chrono::seconds(15);

/// A BLAS has no region to look into: a thread took part that used the CPU for 30 microseconds of some hundred each
/// product takes. The kernel adds a running thread's time up now and then only, hence several products.
int threads_of_products(const openblas& blas, int expected) {
  expect(blas.multiply(product_size), "a product is right"); // by now all threads are there
  const auto before = cpu_times();
  const auto n_used_since = [&] {
    int n = 0;
    for (const auto& [thread, time] : cpu_times()) {
      const auto found = before.find(thread);
      if (time - (found == before.end() ? 0 : found->second) > 30'000) ++n;
    }
    return n;
  };
  int n_used = 0;
  const auto limit = base::deadline::after(longest_look);
  for (int n_after = 0; n_after < 3 && !limit.passed();) {
    expect(blas.multiply(product_size), "a product is right");
    n_used = n_used_since();
    if (n_used >= expected) ++n_after; // some more, where there might be still more threads
  }
  return n_used;
}

/// For a BLAS that makes its threads anew for each product and ends them after it: how many more there are meanwhile.
int threads_during_products(const openblas& blas, int expected) {
  const auto n_threads = [] { return static_cast<int>(testing::names_in("/proc/self/task").size()); };
  const int n_others = n_threads();
  std::atomic<int> most{0};
  std::atomic<bool> over{false};
  std::thread watch([&] {
    while (!over) most = std::max(most.load(), n_threads() - n_others);
  });
  const auto limit = base::deadline::after(longest_look);
  for (int n_products = 0, n_after = 0; n_after < 3 && !limit.passed(); ++n_products) {
    const bool is_hard_to_see = n_products >= 50; // on a busy machine small ones are over before all threads are there
    expect(blas.multiply(is_hard_to_see ? 3 * product_size : product_size), "a product is right");
    if (most >= expected) ++n_after; // some more, where there might be still more threads
  }
  over = true;
  watch.join();
  return most; // the watching thread stands for the one that calls
}

compute_library openmp_library(const char* name, const char* file) {
  auto loaded = std::make_shared<std::optional<openmp>>();
  return {
      name, false,
      [=] {
        *loaded = openmp::load(file);
        return loaded->has_value();
      },
      [=](int expected) { return threads_of_region(expected, [&](const auto& body) { (*loaded)->parallel(body); }); }};
}

compute_library blas_library(const char* name, const std::string& file, bool makes_threads_anew = false) {
  auto loaded = std::make_shared<std::optional<openblas>>();
  return {name, false,
          [=] {
            *loaded = openblas::load(file.c_str());
            return loaded->has_value();
          },
          [=](int expected) {
            return makes_threads_anew ? threads_during_products(**loaded, expected)
                                      : threads_of_products(**loaded, expected);
          }};
}

std::vector<compute_library> all_libraries() {
  const std::string folder = LK_PARALLEL_TEST_LIBRARY_FOLDER;
  return {{"oneTBB", true, [] { return true; }, threads_of_tbb},
          openmp_library("libgomp", "libgomp.so.1"),
          openmp_library("libomp", "libomp.so.5"),
          blas_library("OpenBLAS (pthreads)", folder + "/openblas-pthread/libopenblas.so.0"),
          blas_library("OpenBLAS (OpenMP)", folder + "/openblas-openmp/libopenblas.so.0"),
          blas_library("BLIS (pthreads)", folder + "/blis-pthread/libblis.so.4", true),
          blas_library("BLIS (OpenMP)", folder + "/blis-openmp/libblis.so.4")};
}

/// What LLVM's OpenMP calls its piece of shared memory.
bool has_openmp_registration(pid_t process) {
  const std::string name =
      "/dev/shm/__KMP_REGISTERED_LIB_" + std::to_string(process) + "_" + std::to_string(::getuid());
  return ::access(name.c_str(), F_OK) == 0;
}

/// What the worker of a new pool gets: the most that a task counted.
int threads_in_worker(const compute_library& library, int expected) {
  const shared<std::atomic<int>> most;
  std::vector<pid_t> ours;
  {
    auto workers = make_pool(
        [&](std::int64_t x, task_context&) {
          const int n = library.count_threads(expected);
          for (int known = *most; known < n && !most->compare_exchange_weak(known, n);) {
          }
          expect(n == expected, std::string(library.name) + ": " + std::to_string(n) + " threads instead of " +
                                    std::to_string(expected));
          return answer(x);
        },
        {.n_jobs = 1, .where = execution::processes});
    expect_healthy(workers, 2);
    ours = worker_pids();
    expect(!ours.empty(), "the worker is there");
    for (const pid_t zygote : zygote_pids()) ours.push_back(zygote);
    workers.shutdown();
  }
  // Those of another pool of this host may be alive, or be buried at this moment.
  for (const pid_t process : ours)
    wait_until([&] { return ::kill(process, 0) == 0 || !has_openmp_registration(process); },
               "workers and zygotes leave no shared memory of OpenMP behind");
  return *most;
}

/// Lets a thread of the host do something once and then live until the end of the object.
class living_thread {
 public:
  explicit living_thread(const std::function<void()>& once) {
    thread_ = std::jthread([&](const std::stop_token& over) {
      once();
      std::unique_lock lock(mutex_);
      done_ = true;
      changed_.notify_all();
      changed_.wait(lock, over, [] { return false; });
    });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool done_ = false;
  std::jthread thread_; // last: it uses the others
};

using host_state = std::function<void(const compute_library& library, const std::function<void()>& make_workers)>;

/// The cell of the table that this process is to measure, where a fault has started it for one; else empty.
std::string cell_asked_for() {
  const char* const cell = std::getenv("LK_PARALLEL_FAULT_CELL");
  return cell != nullptr ? cell : "";
}

/// Runs the same fault for one cell in a fresh process: the knobs of this one are in force already.
testing::child_result in_process_of_its_own(const std::string& fault, const std::string& cell, int child_threads) {
  return in_child(
      [&] {
        ::setenv("LK_PARALLEL_FAULT_CELL", cell.c_str(), 1);
        ::setenv("LK_NUM_CHILD_THREADS", std::to_string(child_threads).c_str(), 1);
        ::setenv("LK_NUM_PROCS", "2", 1);
        ::setenv("LK_NUM_THREADS", "2", 1);
        ::setenv("OMP_WAIT_POLICY", "passive", 1); // four threads that spin for each other on two CPUs take their time
        ::execl("/proc/self/exe", "fault_victim", "--fault", fault.c_str(), nullptr);
        return 127;
      },
      std::chrono::seconds(60));
}

using host_state = std::function<void(const compute_library& library, const std::function<void()>& make_workers)>;

constexpr int not_installed = 77;

/// Measures one cell and leaves, since libraries keep threads that no fault may leave behind.
[[noreturn]] void measure_cell(const std::string& cell, const compute_library& library, bool tbb_is_free,
                               const host_state& host) {
  if (!library.load()) ::_exit(not_installed);
  const int child_threads = get_parallel_config().child_threads;
  const int expected = library.is_tbb && !tbb_is_free ? 1 : child_threads;
  host(library, [&] {
    const int got = threads_in_worker(library, expected);
    std::printf("threads: %s | child_threads %d | got %d\n", cell.c_str(), child_threads, got);
  });
  std::exit(0); // with the destructors of libraries, which take their names out of /dev/shm
}

/// One row of the table. `tbb_is_free` where the host's use of oneTBB leaves it to be quiesced.
void measure_row(const std::string& fault, const std::string& state, bool tbb_is_free, const host_state& host) {
  for (const compute_library& library : all_libraries()) {
    const std::string cell = state + " | " + library.name;
    if (cell_asked_for() == cell) measure_cell(cell, library, tbb_is_free, host);
    if (!cell_asked_for().empty()) continue;
    for (const int child_threads : {2, 4}) {
      const testing::child_result result = in_process_of_its_own(fault, cell, child_threads);
      if (result == exited(not_installed)) std::printf("skipped: %s is not installed\n", library.name);
      expect(result == exited(0) || (result == exited(not_installed) && !library.is_tbb),
             "a worker gets its threads: " + cell);
    }
  }
}

void train() {
  std::atomic<int> n_chunks{0};
  for_chunks(WorkChunks::create(1000), [&](chunk) { ++n_chunks; });
  expect(n_chunks > 0, "the host trains");
}

void use_tbb() {
  oneapi::tbb::parallel_for(0, 1000, [](int) {});
}

} // namespace

FAULT("T1", "a worker has child_threads threads of each library in a host that used none before") {
  measure_row("T1", "nothing", true, [](const auto&, const auto& make_workers) { make_workers(); });
}

FAULT("T2", "a worker has child_threads threads of each library after training on this thread, and on others") {
  measure_row("T2", "training on this thread", true, [](const auto&, const auto& make_workers) {
    train();
    make_workers();
  });
  measure_row("T2", "training on a thread that lives", true, [](const auto&, const auto& make_workers) {
    const living_thread other(train);
    make_workers();
  });
}

FAULT("T3",
      "a worker has child_threads threads of each library after oneTBB on this thread, and on one that has ended") {
  measure_row("T3", "oneTBB on this thread", true, [](const auto&, const auto& make_workers) {
    use_tbb();
    make_workers();
  });
  measure_row("T3", "oneTBB on a thread that has ended", true, [](const auto&, const auto& make_workers) {
    std::thread(use_tbb).join();
    make_workers();
  });
}

FAULT("T4",
      "while another thread holds oneTBB a worker has one thread of it, and child_threads of every other library") {
  measure_row("T4", "oneTBB on a thread that lives", false, [](const auto&, const auto& make_workers) {
    const living_thread other(use_tbb);
    make_workers();
  });
}

FAULT("T5", "a worker has child_threads threads of the very library that the host used on this thread, and on others") {
  const auto use = [](const compute_library& library) {
    if (library.is_tbb)
      use_tbb();
    else
      (void)library.count_threads(get_parallel_config().backend_threads);
  };
  measure_row("T5", "the library on this thread", true, [&](const compute_library& library, const auto& make_workers) {
    use(library);
    make_workers();
  });
  measure_row("T5", "the library on a thread that has ended", true, [&](const auto& library, const auto& make_workers) {
    std::thread([&] { use(library); }).join();
    make_workers();
  });
  measure_row("T5", "the library on a thread that lives", false, [&](const auto& library, const auto& make_workers) {
    const living_thread other([&] { use(library); });
    make_workers();
  });
}

FAULT("T6", "each of two invokers made from two threads has workers with child_threads threads of each library") {
  measure_row("T6", "two invokers from two threads", true, [](const auto&, const auto& make_workers) {
    std::thread first(make_workers), second(make_workers);
    first.join();
    second.join();
  });
}

// --- bits

namespace {

/// All bytes of the product of two random matrices, of a size that depends on x.
std::string bytes_of_product(const openblas& blas, std::int64_t x, task_context& context) {
  const int size = 60 + static_cast<int>(x % 7) * 40;
  const auto n = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
  std::vector<double> a(n), b(n);
  for (double& element : a) element = std::ldexp(static_cast<double>(context.rng()()), -64) - 0.5;
  for (double& element : b) element = std::ldexp(static_cast<double>(context.rng()()), -64) - 0.5;
  const std::vector<double> c = blas.product(size, a, b);
  std::string bytes(c.size() * sizeof(double), ' ');
  std::memcpy(bytes.data(), c.data(), bytes.size());
  return bytes;
}

} // namespace

FAULT("T7", "products of OpenBLAS are the same bits for sequential, threads and processes, and any number of workers") {
  if (cell_asked_for().empty()) {
    const auto result = in_process_of_its_own("T7", "bits", 2);
    if (result == exited(not_installed)) return skipped("libopenblas is not installed");
    return expect(result == exited(0), "the bits are the same with two child threads");
  }
  const auto blas = openblas::load();
  if (!blas) std::exit(not_installed);
  const auto run = [&](execution where, int n_jobs) {
    auto workers = make_pool([&](std::int64_t x, task_context& context) { return bytes_of_product(*blas, x, context); },
                             {.n_jobs = n_jobs, .where = where, .seed = 7});
    return results_of(workers, arguments(28));
  };
  const auto expected = run(execution::sequential, 1);
  for (const int n_jobs : {1, 2, 4}) {
    expect(run(execution::threads, n_jobs) == expected, "threads give the same bits");
    expect(run(execution::processes, n_jobs) == expected, "processes give the same bits");
  }
  std::exit(0); // OpenBLAS keeps its threads
}

// --- what threads do to the memory of others

FAULT("H5",
      "a model on the stack of the thread that made the invoker is whole in workers, whatever threads these start") {
  struct big_model {
    std::array<unsigned char, 100'000> bytes;
  };
  const auto fill_a_stack = [] {
    std::array<volatile unsigned char, 400'000> junk;
    for (volatile unsigned char& byte : junk) byte = 0xaa;
  };
  const auto host = [&] {
    big_model model;
    model.bytes.fill(7);
    const auto is_whole = [&model] {
      return std::all_of(model.bytes.begin(), model.bytes.end(), [](unsigned char byte) { return byte == 7; });
    };
    const auto task = [&](std::int64_t x, task_context&) {
      // More threads than the host has stacks, one after the other and at once: glibc reuses and unmaps what is free.
      for (int round = 0; round < 3; ++round) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 12; ++i) threads.emplace_back(fill_a_stack);
        for (std::thread& thread : threads) thread.join();
        expect(is_whole(), "the model is whole");
      }
      return answer(x);
    };
    auto workers = make_pool(task, {.n_jobs = 2, .where = execution::processes, .retries = 0});
    expect_healthy(workers, 6);
  };
  std::thread(host).join();
  // as many hosts at once as glibc has room for in its store of free stacks (40 MiB), and more
  std::vector<std::thread> hosts;
  for (int i = 0; i < 4; ++i) hosts.emplace_back(host);
  const living_thread a(host), b(host);
  for (std::thread& thread : hosts) thread.join();
}

// As OpenBLAS does where a product of another thread came between its fork handler and the fork: it then has threads to
// end that are not there.
FAULT("H6", "a library's fork handler may join, in the zygote, a thread that only the host has") {
  static pid_t host = 0;
  static std::thread::native_handle_type thread_of_host{};
  static bool has_joined = false;
  pipe_pair end_of_thread;
  std::jthread living([&] { (void)whole_text(end_of_thread.reading.get()); });
  thread_of_host = living.native_handle();
  host = ::getpid();
  ::pthread_atfork(
      [] {
        if (::getpid() != host && !std::exchange(has_joined, true)) ::pthread_join(thread_of_host, nullptr);
      },
      nullptr, nullptr);
  for (int round = 0; round < 3; ++round) {
    auto workers = make_pool(usual, {.n_jobs = 2, .where = execution::processes});
    expect_healthy(workers, 10);
  }
  end_of_thread.writing.reset();
}
