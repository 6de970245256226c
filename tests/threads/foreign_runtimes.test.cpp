// lk-parallel | SPDX-License-Identifier: MIT
#include <dlfcn.h>

#include <vector>

#include <lk/parallel/threads/foreign_runtimes.hpp>
#include <support/catch.hpp>
#include <support/in_child.hpp>

// CUDA and MPI by stand-ins that tests/threads/CMakeLists.txt builds.

using namespace lk::parallel;
using testing::exited;
using testing::in_child;
using threads::find_foreign_runtimes;
using threads::foreign_runtimes;
using threads::runtime_state;

namespace {

template <class Function> Function* function_of(void* library, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(library, name));
}

std::vector<finding> findings_of(const foreign_runtimes& state) {
  std::vector<finding> found;
  threads::judge_runtimes(state, found);
  return found;
}

} // namespace

TEST_CASE("a process without CUDA and MPI has neither") { CHECK(find_foreign_runtimes() == foreign_runtimes{}); }

TEST_CASE("CUDA is found, and whether it is initialised, also where its symbols are not global") {
  const int mode = GENERATE(RTLD_LOCAL, RTLD_GLOBAL);
  CHECK(in_child([mode] {
          void* const cuda = ::dlopen(LK_TEST_STAND_IN_CUDA, RTLD_NOW | mode);
          if (cuda == nullptr) return 1;
          if (find_foreign_runtimes() != foreign_runtimes{.cuda = runtime_state::loaded}) return 2;
          function_of<int(unsigned)>(cuda, "cuInit")(0);
          return find_foreign_runtimes() == foreign_runtimes{.cuda = runtime_state::initialised} ? 0 : 3;
        }) == exited(0));
}

TEST_CASE("MPI is found, and whether it is initialised and not yet finalised") {
  const int mode = GENERATE(RTLD_LOCAL, RTLD_GLOBAL);
  CHECK(in_child([mode] {
          void* const mpi = ::dlopen(LK_TEST_STAND_IN_MPI, RTLD_NOW | mode);
          if (mpi == nullptr) return 1;
          if (find_foreign_runtimes() != foreign_runtimes{.mpi = runtime_state::loaded}) return 2;
          function_of<int(int*, char***)>(mpi, "MPI_Init")(nullptr, nullptr);
          if (find_foreign_runtimes() != foreign_runtimes{.mpi = runtime_state::initialised}) return 3;
          function_of<int()>(mpi, "MPI_Finalize")();
          return find_foreign_runtimes() == foreign_runtimes{.mpi = runtime_state::loaded} ? 0 : 4;
        }) == exited(0));
}

TEST_CASE("only what is initialised is warned of") {
  CHECK(findings_of({}).empty());
  CHECK(findings_of({.cuda = runtime_state::loaded, .mpi = runtime_state::loaded}).empty());
  const auto cuda = findings_of({.cuda = runtime_state::initialised});
  REQUIRE(cuda.size() == 1);
  CHECK(cuda[0].topic == "cuda");
  CHECK(cuda[0].level == severity::warning);
  const auto mpi = findings_of({.mpi = runtime_state::initialised});
  REQUIRE(mpi.size() == 1);
  CHECK(mpi[0].topic == "mpi");
  CHECK(mpi[0].level == severity::warning);
}
