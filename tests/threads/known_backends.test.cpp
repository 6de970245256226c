// lk-parallel | SPDX-License-Identifier: MIT
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <lk/parallel/backend_pools.hpp>
#include <support/catch.hpp>
#include <support/temporary_folder.hpp>
#include <threads/backend_libraries.hpp>

using namespace lk::parallel;
using namespace lk::parallel::testing;

namespace {

/// A pool of a real BLAS as it should be, and as many threads in a product as it is given.
void check_blas(const packaged_library& library, const std::string& name, const std::string& layer) {
  scenario({library}, [&] {
    const loaded_library blas(library);
    const backend_pool pool = only_pool(name);
    expect_equal(pool.threading_layer, layer, "threading layer");
    expect(pool.version.find('.') != std::string::npos, "the version is a number: " + pool.version);
    expect(pool.kind == backend_kind::blas && !pool.per_thread, "it is a BLAS");
    expect(pool.file.find("lib") != std::string::npos, "the file is a library: " + pool.file);
    expect_equal(pool.variable, "", "variable");
    for (const int n : {1, 3, 2, 1}) {
      const backend_limit limit(n); // an OpenMP build has two settings
      expect_equal(pool.threads(), n, "what the library says");
      expect_equal(count_blas_threads(blas, n), n, "threads in a product");
    }
  });
}

void check_openmp(const packaged_library& library, const std::string& name) {
  scenario({library}, [&] {
    const loaded_library openmp(library);
    const backend_pool pool = only_pool(name);
    expect(pool.kind == backend_kind::openmp && pool.per_thread, "it is OpenMP");
    for (const int n : {1, 3, 2}) {
      pool.set_threads(n);
      expect_equal(pool.threads(), n, "what the library says");
      expect_equal(count_openmp_threads(openmp), n, "threads in a region");
    }
  });
}

/// A pool of a library that is not the real one.
void check_stand_in(const std::string& file, const std::string& name, const std::string& version,
                    const std::string& layer) {
  scenario({}, [&] {
    const loaded_library library(file);
    const backend_pool pool = only_pool(name);
    expect_equal(pool.version, version, "version");
    expect_equal(pool.threading_layer, layer, "threading layer");
    expect_equal(pool.file, file, "file");
    expect_equal(pool.threads(), 7, "threads at first");
    pool.set_threads(3);
    expect_equal(pool.threads(), 3, "threads when set");
    expect_equal(backend_pools().size(), 1u, "number of all pools");
  });
}

} // namespace

TEST_CASE("nothing is found where nothing is loaded") {
  scenario({}, [] { expect_equal(backend_pools().size(), 0u, "number of pools"); });
}

TEST_CASE("OpenBLAS on threads of its own") { check_blas(openblas_pthread, "OpenBLAS", "pthreads"); }

TEST_CASE("OpenBLAS on OpenMP") { check_blas(openblas_openmp, "OpenBLAS", "openmp"); }

TEST_CASE("OpenBLAS with 64-bit integers") { check_blas(openblas64_pthread, "OpenBLAS", "pthreads"); }

TEST_CASE("an OpenBLAS that is found under the name libblas") { check_blas(debians_libblas, "OpenBLAS", "pthreads"); }

TEST_CASE("BLIS on threads of its own") { check_blas(blis_pthread, "BLIS", "pthreads"); }

TEST_CASE("BLIS on OpenMP") { check_blas(blis_openmp, "BLIS", "openmp"); }

TEST_CASE("GCC's OpenMP") { check_openmp(libgomp, "libgomp"); }

TEST_CASE("LLVM's OpenMP") { check_openmp(libomp, "libomp"); }

TEST_CASE("LLVM's OpenMP is not taken for GCC's by a link's name") {
  scenario({libomp}, [] {
    const temporary_folder folder;
    const std::string link = folder.path() / "libgomp.so.1";
    std::filesystem::create_symlink(libomp.path, link);
    const loaded_library openmp(link);
    expect_equal(only_pool("libomp").file, link, "file");
  });
}

TEST_CASE("two OpenBLAS and two OpenMP libraries at once are four pools") {
  scenario({openblas_pthread, openblas_openmp, libgomp, libomp}, [] {
    const loaded_library pthread(openblas_pthread), openmp(openblas_openmp), llvm(libomp), gcc(libgomp);
    const std::vector<backend_pool> both = pools_named("OpenBLAS");
    expect_equal(both.size(), 2u, "number of OpenBLAS");
    only_pool("libgomp").set_threads(2);
    only_pool("libomp").set_threads(3);
    expect_equal(count_openmp_threads(gcc), 2, "threads of libgomp");
    expect_equal(count_openmp_threads(llvm), 3, "threads of libomp");
    for (const backend_pool& pool : both) pool.set_threads(pool.threading_layer == "openmp" ? 1 : 3);
    expect_equal(count_blas_threads(pthread, 3), 3, "threads of the one OpenBLAS");
    expect_equal(count_blas_threads(openmp, 1), 1, "threads of the other");
  });
}

TEST_CASE("FlexiBLAS, and the BLAS behind it") {
  scenario({flexiblas}, [] {
    const loaded_library library(flexiblas);
    const backend_pool pool = only_pool("FlexiBLAS");
    const backend_limit limit(2);
    expect_equal(pool.threads(), 2, "what the library says");
    expect_equal(count_blas_threads(library, 2), 2, "threads in a product");
  });
}

TEST_CASE("the OpenBLAS of SciPy, MKL, FlexiBLAS and Intel's OpenMP by their functions") {
  const std::string folder = LK_TEST_STAND_INS;
  check_stand_in(folder + "/libscipy_openblas.so", "OpenBLAS", "0.3.99", "pthreads");
  check_stand_in(folder + "/libscipy_openblas64_.so", "OpenBLAS", "0.3.99", "pthreads");
  check_stand_in(folder + "/libopenblas64_.so", "OpenBLAS", "0.3.99", "pthreads");
  check_stand_in(folder + "/libmkl_rt.so", "MKL", "2024.2", "gnu");
  check_stand_in(folder + "/libflexiblas.so", "FlexiBLAS", "3.4.2", "openblas-pthread");
  check_stand_in(folder + "/libiomp5.so", "libiomp5", "", "");
}

TEST_CASE("MKL's parts are not listed beside the library that speaks for them") {
  scenario({}, [] {
    const std::string folder = LK_TEST_STAND_INS;
    const loaded_library part(folder + "/libmkl_intel_lp64.so");
    expect_equal(only_pool("MKL").file, folder + "/libmkl_intel_lp64.so", "file of the part alone");
    const loaded_library all(folder + "/libmkl_rt.so");
    expect_equal(only_pool("MKL").file, folder + "/libmkl_rt.so", "file");
  });
}

TEST_CASE("functions of OpenMP without threads are no pool") {
  scenario({}, [] {
    const loaded_library stubs(std::string(LK_TEST_STAND_INS) + "/libomp_stubs.so");
    expect_equal(backend_pools().size(), 0u, "number of pools");
  });
}

TEST_CASE("a variable of its own is told, and FlexiBLAS has that of the BLAS behind it") {
  scenario({}, [] {
    ::setenv("OPENBLAS_NUM_THREADS", "2", 1);
    ::setenv("MKL_NUM_THREADS", " ", 1);
    const std::string folder = LK_TEST_STAND_INS;
    const loaded_library a(folder + "/libscipy_openblas.so"), b(folder + "/libmkl_rt.so"),
        c(folder + "/libflexiblas.so");
    expect_equal(only_pool("OpenBLAS").variable, "OPENBLAS_NUM_THREADS", "variable of OpenBLAS");
    expect_equal(only_pool("FlexiBLAS").variable, "OPENBLAS_NUM_THREADS", "variable of FlexiBLAS");
    expect_equal(only_pool("MKL").variable, "", "variable of MKL, which is blank");
  });
}

TEST_CASE("a number of threads below 1 is refused") {
  scenario({}, [] {
    const loaded_library library(std::string(LK_TEST_STAND_INS) + "/libmkl_rt.so");
    const backend_pool pool = only_pool("MKL");
    for (const int n : {0, -1, -2}) {
      try {
        pool.set_threads(n);
        throw std::logic_error("it was taken");
      } catch (const config_error& refused) {
        expect_equal(refused.text, std::to_string(n), "text of the error");
      }
    }
    expect_equal(pool.threads(), 7, "threads");
  });
}

TEST_CASE("LibTorch's inter-op pool takes a number once, and refuses with an error of ours") {
  scenario({}, [] {
    const loaded_library torch(std::string(LK_TEST_STAND_INS) + "/libtorch_cpu.so");
    const std::vector<backend_pool> pools = pools_named("LibTorch");
    expect_equal(pools.size(), 2u, "number of pools");
    expect(pools[0].kind == backend_kind::torch_intra_op && pools[1].kind == backend_kind::torch_inter_op,
           "both kinds");
    pools[1].set_threads(4);
    expect_equal(pools[1].threads(), 4, "threads");
    try {
      pools[1].set_threads(5);
      throw std::logic_error("it was taken");
    } catch (const usage_error&) {
    }
    expect(!pools[1].try_set_threads(5), "it refuses without a word");
    expect_equal(pools[1].threads(), 4, "threads");
  });
}

TEST_CASE("LibTorch") {
  scenario({libtorch}, [] {
    const loaded_library torch(libtorch);
    const std::vector<backend_pool> pools = pools_named("LibTorch");
    expect_equal(pools.size(), 2u, "number of pools");
    for (const int n : {1, 3, 2}) {
      pools[0].set_threads(n);
      expect_equal(pools[0].threads(), n, "what the library says");
    }
    expect_equal(pools[0].threading_layer, "openmp", "threading layer of Debian's build");
    expect_equal(only_pool("libgomp").threads(), 2, "LibTorch sets OpenMP on the calling thread");
    pools[1].set_threads(3);
    expect_equal(pools[1].threads(), 3, "inter-op threads");
    expect(!pools[1].try_set_threads(2), "a second number is refused");
  });
}
