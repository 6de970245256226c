// lk-parallel | SPDX-License-Identifier: MIT
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <link.h>

#include <oneapi/tbb/parallel_for.h>

#include <lk/parallel/backend_pools.hpp>
#include <lk/parallel/for_chunks.hpp>
#include <lk/parallel/initialize.hpp>
#include <lk/parallel/invoker.hpp>
#include <support/catch.hpp>
#include <threads/backend_libraries.hpp>
#include <threads/rendezvous.hpp>

using namespace lk::parallel;
using namespace lk::parallel::testing;

namespace {

const std::string stand_ins = LK_TEST_STAND_INS;

/// Makes the worker, or this process, load a library at most once.
const loaded_library& loaded_once(const std::string& path) {
  static const loaded_library library(path);
  return library;
}

/// Most threads in an OpenMP region on each of n oneTBB threads at the same time.
int most_openmp_threads(const loaded_library& openmp, int n) {
  std::atomic<int> most{0};
  rendezvous meeting(static_cast<std::size_t>(n));
  oneapi::tbb::parallel_for(0, n, [&](int) {
    meeting.meet();
    const int here = count_openmp_threads(openmp);
    for (int before = most; before < here && !most.compare_exchange_weak(before, here);) {
    }
  });
  return most;
}

} // namespace

TEST_CASE("a limit holds for all pools and gives back what they had before") {
  scenario({openblas_pthread, libgomp}, [] {
    const loaded_library blas(openblas_pthread), openmp(libgomp), mkl(stand_ins + "/libmkl_rt.so");
    only_pool("OpenBLAS").set_threads(2);
    only_pool("libgomp").set_threads(4);
    {
      const backend_limit limit(3);
      expect_equal(count_blas_threads(blas, 3), 3, "threads of OpenBLAS");
      expect_equal(count_openmp_threads(openmp), 3, "threads of OpenMP");
      expect_equal(only_pool("MKL").threads(), 3, "threads of MKL");
      {
        const backend_limit inner(1);
        expect_equal(count_blas_threads(blas, 1), 1, "threads of OpenBLAS, inside");
        expect_equal(count_openmp_threads(openmp), 1, "threads of OpenMP, inside");
        const backend_limit none(-1);
        expect_equal(only_pool("MKL").threads(), 1, "threads of MKL, with -1");
      }
      expect_equal(only_pool("MKL").threads(), 3, "threads of MKL, outside again");
    }
    expect_equal(count_blas_threads(blas, 2), 2, "threads of OpenBLAS, afterwards");
    expect_equal(count_openmp_threads(openmp), 4, "threads of OpenMP, afterwards");
    expect_equal(only_pool("MKL").threads(), 7, "threads of MKL, afterwards");
  });
}

TEST_CASE("a limit leaves alone what the user has sized by a variable, and LibTorch's inter-op pool") {
  scenario({}, [] {
    ::setenv("MKL_NUM_THREADS", "7", 1);
    const loaded_library mkl(stand_ins + "/libmkl_rt.so"), torch(stand_ins + "/libtorch_cpu.so");
    {
      const backend_limit limit(2);
      expect_equal(only_pool("MKL").threads(), 7, "threads of MKL");
      expect_equal(pools_named("LibTorch").at(0).threads(), 2, "threads of an operation");
      expect_equal(pools_named("LibTorch").at(1).threads(), 7, "operations at once");
    }
    expect_equal(pools_named("LibTorch").at(0).threads(), 7, "threads of an operation, afterwards");
    expect(pools_named("LibTorch").at(1).try_set_threads(5), "the inter-op pool has not been set");
  });
}

TEST_CASE("a limit that is dropped on another thread leaves that thread's OpenMP count alone") {
  scenario({libgomp}, [] {
    const loaded_library openmp(libgomp);
    auto limit = std::make_unique<backend_limit>(2);
    int other = 0;
    std::thread([&] {
      only_pool("libgomp").set_threads(3);
      limit.reset();
      other = count_openmp_threads(openmp);
    }).join();
    expect_equal(other, 3, "threads there");
  });
}

TEST_CASE("a limit of 0, or below -1, is refused with the number") {
  for (const int n : {0, -2}) {
    try {
      const backend_limit limit(n);
      FAIL("it was taken");
    } catch (const config_error& refused) {
      CHECK(refused.variable == "backend_limit");
      CHECK(refused.text == std::to_string(n));
    }
  }
}

TEST_CASE("training code has backend_threads in each pool, also of libraries loaded after initialize()") {
  scenario({openblas_pthread, libgomp}, [] {
    initialize({.threads = 3, .backend_threads = 2});
    with_training_threads([] {
      rendezvous meeting(3);
      oneapi::tbb::parallel_for(0, 3, [&](int) { meeting.meet(); });
    });
    ::setenv("OMP_NUM_THREADS", "5", 1);
    const loaded_library openmp(libgomp), blas(openblas_pthread), torch(stand_ins + "/libtorch_cpu.so");
    only_pool("OpenBLAS").set_threads(1);
    const int most = with_training_threads([&] { return most_openmp_threads(openmp, 3); });
    expect_equal(most, 2, "most threads of a region on any training thread");
    expect_equal(with_training_threads([&] { return count_blas_threads(blas, 2); }), 2, "threads of OpenBLAS");
    expect_equal(pools_named("LibTorch").at(0).threads(), 2, "threads of LibTorch's operations");
    expect_equal(pools_named("LibTorch").at(1).threads(), 3, "LibTorch's operations at once");
    std::atomic<int> most_in_chunks{0};
    for_chunks(WorkChunks::create(1000), [&](chunk) {
      const int here = count_openmp_threads(openmp);
      for (int before = most_in_chunks; before < here && !most_in_chunks.compare_exchange_weak(before, here);) {
      }
    });
    expect_equal(most_in_chunks.load(), 2, "most threads of a region in a chunk");
  });
}

TEST_CASE("with backend_threads of -1 training code has what the libraries have themselves") {
  scenario({}, [] {
    const loaded_library mkl(stand_ins + "/libmkl_rt.so");
    initialize({.threads = 2, .backend_threads = -1});
    const loaded_library torch(stand_ins + "/libtorch_cpu.so");
    with_training_threads([] {});
    for (const backend_pool& pool : backend_pools()) expect_equal(pool.threads(), 7, pool.name);
  });
}

TEST_CASE("with backend_threads of -1 maps in place have child_threads all the same, and give back what was before") {
  scenario({openblas_pthread}, [] {
    initialize({.processes = 1, .threads = 2, .backend_threads = -1, .child_threads = 2});
    const loaded_library blas(openblas_pthread);
    for (const execution where : {execution::sequential, execution::threads}) {
      only_pool("OpenBLAS").set_threads(3);
      invoker inv{0, [](int, int) { return only_pool("OpenBLAS").threads(); }, {.n_jobs = 1, .where = where}};
      for (const int in_task : inv.map(std::vector<int>{1, 2}))
        expect_equal(in_task, 2, "threads of OpenBLAS in a task");
      expect_equal(only_pool("OpenBLAS").threads(), 3, "threads of OpenBLAS after the map");
    }
  });
}

// threads/loaded_objects.hpp: a child that was forked meanwhile cannot look at the linker, and is given up.
TEST_CASE("pools are made while another thread walks the loaded objects") {
  scenario({}, [] {
    initialize({.processes = 1});
    std::atomic<bool> done{false};
    std::thread walker([&] {
      while (!done) {
        ::dl_iterate_phdr(
            [](dl_phdr_info*, std::size_t, void*) {
              for (int i = 0; i < 50; ++i) std::this_thread::yield();
              return 1;
            },
            nullptr);
        for (int i = 0; i < 50; ++i) std::this_thread::yield();
      }
    });
    const int model = 1;
    for (int i = 0; i < 20; ++i) {
      invoker workers{
          model, [](const int& one, int x) { return one + x; }, {.n_jobs = 1, .where = execution::processes}};
      int sum = 0;
      for (const int result : workers.map(std::vector<int>{1, 2, 3})) sum += result;
      expect_equal(sum, 9, "sum of the results");
    }
    done = true;
    walker.join();
  });
}

TEST_CASE("workers have child_threads in each pool, also of libraries that worker_init loads") {
  for (const packaged_library& library : {libgomp, libomp}) {
    for (const bool late : {false, true}) {
      scenario({openblas_pthread, library}, [&] {
        ::setenv("OMP_NUM_THREADS", "5", 1);
        initialize({.processes = 2, .threads = 2, .backend_threads = 1, .child_threads = 2});
        if (!late) {
          (void)loaded_once(library.path);
          (void)with_training_threads([&] { return count_openmp_threads(loaded_once(library.path)); });
        }
        const loaded_library* blas = late ? nullptr : new loaded_library(openblas_pthread);
        const int model = 0;
        const auto task = [&](const int&, int what) -> int {
          const loaded_library& openmp = loaded_once(library.path);
          if (what == 0) return count_openmp_threads(openmp);
          if (what == 1) return most_openmp_threads(openmp, 2);
          if (what == 2) return only_pool("OpenBLAS").threads();
          return count_blas_threads(blas == nullptr ? loaded_library(openblas_pthread) : *blas, 2);
        };
        invoker workers{model, task, {.n_jobs = 2, .worker_init = [&](int) {
                                        (void)loaded_once(library.path);
                                        (void)loaded_library(openblas_pthread);
                                      }}};
        std::vector<int> counts;
        for (const int count : workers.map(std::vector<int>{0, 1, 2, 3, 0, 1, 2, 3})) counts.push_back(count);
        for (std::size_t i = 0; i < counts.size(); ++i) {
          const char* const names[] = {"threads of OpenMP in a task", "the same inside oneTBB, two at once",
                                       "what OpenBLAS says", "threads of OpenBLAS"};
          // The second region runs on the task's own thread, which has two, and on a helping thread, which has one.
          expect_equal(counts[i], 2, names[i % 4]);
        }
      });
    }
  }
}
