// lk-parallel | SPDX-License-Identifier: MIT
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

#include <oneapi/tbb/parallel_for.h>

#include <lk/parallel/threads/arena.hpp>
#include <lk/parallel/threads/backend_pools.hpp>
#include <lk/parallel/threads/thread_budget.hpp>
#include <support/catch.hpp>
#include <threads/backend_libraries.hpp>
#include <threads/rendezvous.hpp>

using namespace lk::parallel;
using namespace lk::parallel::testing;
using threads::arena;
using threads::thread_budget;
using found_backends = threads::backend_pools;

namespace {

const std::string stand_ins = LK_TEST_STAND_INS;

/// What OpenMP regions have at most on each of n oneTBB threads at once.
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

TEST_CASE("OpenBLAS is sized, and left alone with -1 or where its own variable is set") {
  scenario({openblas_pthread}, [] {
    const loaded_library blas(openblas_pthread);
    const auto count = [&] { return blas.function<int()>("openblas_get_num_threads")(); };
    found_backends::find().set(1);
    expect_equal(count(), 1, "after 1");
    found_backends::find().set(2);
    expect_equal(count(), 2, "after 2");
    found_backends::find().set(-1);
    expect_equal(count(), 2, "after -1");
    ::setenv("OPENBLAS_NUM_THREADS", "2", 1);
    found_backends::find().set(1);
    expect_equal(count(), 2, "with its own variable");
    ::setenv("OPENBLAS_NUM_THREADS", " ", 1);
    threads::set_backend_threads_after_fork(found_backends::find(), 1);
    expect_equal(count(), 1, "with a blank variable");
  });
}

TEST_CASE("OpenMP is sized for the calling thread only") {
  scenario({libgomp}, [] {
    const loaded_library openmp(libgomp);
    const found_backends pools = found_backends::find();
    pools.set(3);
    expect_equal(count_openmp_threads(openmp), 3, "after 3");
    int other = 0;
    std::thread([&] {
      pools.set(1);
      other = count_openmp_threads(openmp);
    }).join();
    expect_equal(other, 1, "on another thread");
    expect_equal(count_openmp_threads(openmp), 3, "on this thread still");
    pools.set(-1);
    expect_equal(count_openmp_threads(openmp), 3, "after -1");
  });
}

TEST_CASE("sizing the libraries of the process leaves the OpenMP count of the thread as it is") {
  scenario({openblas_openmp, libgomp}, [] {
    const loaded_library blas(openblas_openmp), openmp(libgomp);
    const found_backends pools = found_backends::find();
    pools.set_for_this_thread(3);
    pools.set_libraries(2);
    expect_equal(count_openmp_threads(openmp), 3, "threads in a region");
  });
}

TEST_CASE("a look without a change finds nothing new, and a library loaded since is found and sized once") {
  scenario({}, [] {
    found_backends pools = found_backends::find();
    expect(!pools.refresh(), "nothing is new");
    const loaded_library mkl(stand_ins + "/libmkl_rt.so");
    expect(pools.set_new(2), "MKL is new");
    expect_equal(only_pool("MKL").threads(), 2, "threads of MKL");
    only_pool("MKL").set_threads(5);
    expect(!pools.set_new(2), "MKL is known");
    const loaded_library blas(stand_ins + "/libscipy_openblas.so");
    expect(pools.set_new(2), "OpenBLAS is new");
    expect_equal(only_pool("OpenBLAS").threads(), 2, "threads of OpenBLAS");
    expect_equal(only_pool("MKL").threads(), 5, "threads of MKL, as set by others");
  });
}

TEST_CASE("a library that was found stays loaded until the last copy of what was found is gone") {
  scenario({}, [] {
    const std::string file = stand_ins + "/libmkl_rt.so";
    const auto loaded = [&] {
      void* const handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_NOLOAD);
      if (handle != nullptr) ::dlclose(handle);
      return handle != nullptr;
    };
    {
      loaded_library mkl(file);
      found_backends pools = found_backends::find();
      const backend_pool pool = pools.all().at(0);
      mkl.unload();
      expect(loaded(), "it is loaded still");
      pools.set(3);
      expect_equal(pool.threads(), 3, "threads");
      expect(!pools.refresh(), "nothing is new");
      pools = {};
      pool.set_threads(4);
      expect_equal(pool.threads(), 4, "threads");
    }
    expect(!loaded(), "it is gone");
    expect_equal(backend_pools().size(), 0u, "number of pools");
  });
}

TEST_CASE("looks and limits of several threads while another loads and unloads libraries") {
  scenario({}, [] {
    std::atomic<bool> done{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> lookers;
    for (int i = 0; i < 2; ++i) {
      lookers.emplace_back([&] {
        found_backends pools;
        while (!done) {
          pools.refresh();
          for (const backend_pool& pool : pools.all()) wrong += pool.threads() == 7 ? 0 : 1;
          if (pools.all().size() > 1) pools = {};
        }
      });
    }
    for (int i = 0; i < 300; ++i) {
      loaded_library mkl(stand_ins + "/libmkl_rt.so"), blas(stand_ins + "/libscipy_openblas.so");
      mkl.unload();
      blas.unload();
    }
    done = true;
    for (std::thread& looker : lookers) looker.join();
    expect_equal(wrong.load(), 0, "numbers that no library has said");
  });
}

TEST_CASE("within a budget OpenMP has its threads in the function and one on the helping threads") {
  for (const packaged_library& library : {libgomp, libomp}) {
    scenario({library}, [&] {
      const loaded_library openmp(library);
      found_backends::find().set(5);
      int in_function = 0, on_helper = 0;
      rendezvous meeting(2);
      thread_budget budget(2, true);
      budget.run([&, caller = std::this_thread::get_id()] {
        in_function = count_openmp_threads(openmp);
        oneapi::tbb::parallel_for(0, 2, [&](int) {
          if (caller != std::this_thread::get_id()) on_helper = count_openmp_threads(openmp);
          meeting.meet();
        });
      });
      expect_equal(in_function, 2, "threads in the function");
      expect_equal(on_helper, 1, "threads on a helping thread");
      expect_equal(count_openmp_threads(openmp), 5, "threads afterwards");
    });
  }
}

TEST_CASE("a budget that was made, and used, before OpenMP was loaded holds for it as well") {
  scenario({libgomp}, [] {
    thread_budget budget(2, true);
    budget.run([] {
      rendezvous meeting(2);
      oneapi::tbb::parallel_for(0, 2, [&](int) { meeting.meet(); });
    });
    ::setenv("OMP_NUM_THREADS", "5", 1);
    const loaded_library openmp(libgomp);
    int in_function = 0, on_helper = 0;
    rendezvous meeting(2);
    budget.run([&, caller = std::this_thread::get_id()] {
      in_function = count_openmp_threads(openmp);
      oneapi::tbb::parallel_for(0, 2, [&](int) {
        if (caller != std::this_thread::get_id()) on_helper = count_openmp_threads(openmp);
        meeting.meet();
      });
    });
    expect_equal(in_function, 2, "threads in the function");
    expect_equal(on_helper, 1, "threads on a helping thread");
  });
}

TEST_CASE("an arena gives each of its threads the OpenMP threads it was told, also of a library loaded later") {
  for (const packaged_library& library : {libgomp, libomp}) {
    scenario({library}, [&] {
      arena training(3, 2);
      training.run([] {
        rendezvous meeting(3);
        oneapi::tbb::parallel_for(0, 3, [&](int) { meeting.meet(); });
      });
      ::setenv("OMP_NUM_THREADS", "5", 1);
      const loaded_library openmp(library), mkl(stand_ins + "/libmkl_rt.so");
      int most = 0;
      training.run([&] { most = most_openmp_threads(openmp, 3); });
      expect_equal(most, 2, "most threads of a region on any of the arena's threads");
      expect_equal(only_pool("MKL").threads(), 2, "threads of MKL");
      expect_equal(count_openmp_threads(openmp), 5, "threads of the calling thread");
    });
  }
}

TEST_CASE("an arena gives LibTorch's inter-op pool as many threads as it has itself") {
  scenario({}, [] {
    arena training(3, 2);
    const loaded_library torch(stand_ins + "/libtorch_cpu.so");
    training.run([] {});
    const std::vector<backend_pool> pools = pools_named("LibTorch");
    expect_equal(pools.at(0).threads(), 2, "threads of an operation");
    expect_equal(pools.at(1).threads(), 3, "operations at once");
  });
}

TEST_CASE("a thread keeps the count it was given though LibTorch sets OpenMP at its first call there") {
  scenario({libtorch}, [] {
    const loaded_library torch(libtorch);
    const found_backends pools = found_backends::find();
    pools.set_libraries(3);
    int told = 0;
    std::thread([&] {
      pools.set_for_this_thread(1);
      told = pools_named("LibTorch").at(0).threads();
    }).join();
    expect_equal(told, 1, "threads of an operation there");
    expect_equal(pools_named("LibTorch").at(0).threads(), 3, "threads of an operation here");
  });
}

TEST_CASE("an arena that leaves the backends alone leaves those loaded later alone") {
  scenario({}, [] {
    arena training(2, -1);
    const loaded_library torch(stand_ins + "/libtorch_cpu.so"), mkl(stand_ins + "/libmkl_rt.so");
    training.run([] {});
    for (const backend_pool& pool : backend_pools()) expect_equal(pool.threads(), 7, pool.name);
  });
}

// What threads/loaded_objects.hpp says of glibc. Where this fails, the C library has been corrected, and the look at
// the linker in runtime::become_worker can go.
TEST_CASE("a child forked while another thread walked the loaded objects has no way to walk them", "[.]") {
  scenario({}, [] {
    std::atomic<bool> walking{false}, done{false};
    std::thread other([&] {
      std::pair<std::atomic<bool>*, std::atomic<bool>*> flags{&walking, &done};
      ::dl_iterate_phdr(
          [](dl_phdr_info*, std::size_t, void* state) {
            const auto& [in, out] = *static_cast<std::pair<std::atomic<bool>*, std::atomic<bool>*>*>(state);
            *in = true;
            while (!*out) std::this_thread::yield();
            return 1;
          },
          &flags);
    });
    while (!walking) std::this_thread::yield();
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(1);
      (void)threads::current_loader_epoch();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    done = true;
    other.join();
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM, "the child waits for ever");
  });
}
