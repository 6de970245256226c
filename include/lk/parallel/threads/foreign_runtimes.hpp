// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <string>

#include <lk/parallel/config/findings.hpp>
#include <lk/parallel/threads/loaded_objects.hpp>

// Runtimes that do not survive a fork once they are initialised: CUDA and MPI, asked by functions of theirs that may be
// called at any time, if the process has loaded them. Nothing is loaded for it.
// Source: CUDA driver API ("cuCtxGetCurrent" fails with CUDA_ERROR_NOT_INITIALIZED before cuInit), MPI 4.0, section
// 11.4.1 ("MPI_Initialized", callable before MPI_Init and after MPI_Finalize).

namespace lk::parallel::threads {

enum class runtime_state { absent, loaded, initialised }; // the later one counts

struct foreign_runtimes {
  runtime_state cuda = runtime_state::absent;
  runtime_state mpi = runtime_state::absent;

  friend bool operator==(const foreign_runtimes&, const foreign_runtimes&) = default;
};

inline runtime_state ask_cuda(const open_object& object) {
  constexpr int success = 0; // also without a context; before cuInit it is CUDA_ERROR_NOT_INITIALIZED
  auto* const current = object.own<int(void**)>("cuCtxGetCurrent");
  if (current == nullptr) return runtime_state::absent;
  void* context = nullptr;
  return current(&context) == success ? runtime_state::initialised : runtime_state::loaded;
}

inline runtime_state ask_mpi(const open_object& object) {
  auto* const initialised = object.own<int(int*)>("MPI_Initialized");
  auto* const finalised = initialised == nullptr ? nullptr : object.own<int(int*)>("MPI_Finalized");
  if (finalised == nullptr) return runtime_state::absent;
  const auto says_yes = [](int (*ask)(int*)) {
    int answer = 0;
    return ask(&answer) == 0 && answer != 0;
  };
  return says_yes(initialised) && !says_yes(finalised) ? runtime_state::initialised : runtime_state::loaded;
}

/// Blocks: while another thread is inside dlopen. Threads: safe.
inline foreign_runtimes find_foreign_runtimes() {
  const std::array<std::string, 2> names{"cuCtxGetCurrent", "MPI_Initialized"};
  foreign_runtimes state;
  for (const loaded_object& each : list_objects_defining(names).objects) {
    const open_object object(each.name);
    if (!object) continue;
    state.cuda = std::max(state.cuda, ask_cuda(object));
    state.mpi = std::max(state.mpi, ask_mpi(object));
  }
  return state;
}

inline void judge_runtimes(const foreign_runtimes& state, config::findings& found) {
  if (state.cuda == runtime_state::initialised) {
    found.push_back({severity::warning, "cuda", "CUDA is initialised in this process",
                     "Make the invoker before the first CUDA call, or keep all work on the GPU in the host: CUDA does "
                     "not work in a forked process whose parent has initialised it."});
  }
  if (state.mpi == runtime_state::initialised) {
    found.push_back({severity::warning, "mpi", "MPI is initialised in this process",
                     "Make the invoker before MPI_Init, and call no MPI function in tasks: a worker is no rank."});
  }
}

} // namespace lk::parallel::threads
