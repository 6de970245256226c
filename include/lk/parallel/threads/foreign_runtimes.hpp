// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dlfcn.h>
#include <link.h>

#include <string>
#include <string_view>
#include <vector>

#include <lk/parallel/config/findings.hpp>

// Runtimes that do not survive a fork once they are initialised: CUDA and MPI, asked by functions of theirs that may be
// called at any time, if the process has loaded them. Nothing is loaded for it.
// Source: CUDA driver API ("cuCtxGetCurrent" fails with CUDA_ERROR_NOT_INITIALIZED before cuInit), MPI 4.0, section
// 11.4.1 ("MPI_Initialized", callable before MPI_Init and after MPI_Finalize).

namespace lk::parallel::threads {

enum class runtime_state { absent, loaded, initialised };

struct foreign_runtimes {
  runtime_state cuda = runtime_state::absent;
  runtime_state mpi = runtime_state::absent;

  friend bool operator==(const foreign_runtimes&, const foreign_runtimes&) = default;
};

/// Paths of the loaded objects whose file name starts with `name`.
inline std::vector<std::string> find_loaded(std::string_view name) {
  struct search {
    std::string_view name;
    std::vector<std::string> paths;
  } looking{name, {}};
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* state) {
        auto& search_state = *static_cast<search*>(state);
        const std::string_view path(object->dlpi_name != nullptr ? object->dlpi_name : "");
        if (path.substr(path.rfind('/') + 1).starts_with(search_state.name)) search_state.paths.emplace_back(path);
        return 0;
      },
      &looking);
  return looking.paths;
}

/// A function of a loaded object, also of one that was loaded without RTLD_GLOBAL; null where it has none.
template <class Function> Function* function_of(const std::string& path, const char* name) {
  void* const object = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (object == nullptr) return nullptr;
  void* const found = ::dlsym(object, name);
  ::dlclose(object); // the process has it still
  return reinterpret_cast<Function*>(found);
}

inline runtime_state ask_cuda(const std::string& path) {
  constexpr int success = 0; // also without a context; before cuInit it is CUDA_ERROR_NOT_INITIALIZED
  const auto current = function_of<int(void**)>(path, "cuCtxGetCurrent");
  void* context = nullptr;
  return current != nullptr && current(&context) == success ? runtime_state::initialised : runtime_state::loaded;
}

inline runtime_state ask_mpi(const std::string& path) {
  const auto ask = [&](const char* name) {
    const auto function = function_of<int(int*)>(path, name);
    int answer = 0;
    return function != nullptr && function(&answer) == 0 && answer != 0;
  };
  return ask("MPI_Initialized") && !ask("MPI_Finalized") ? runtime_state::initialised : runtime_state::loaded;
}

/// Threads: safe while no library is being unloaded.
inline foreign_runtimes find_foreign_runtimes() {
  foreign_runtimes state;
  for (const std::string& path : find_loaded("libcuda.so"))
    if (state.cuda != runtime_state::initialised) state.cuda = ask_cuda(path);
  for (const char* name : {"libmpi.so", "libmpich.so", "libmpi-"})
    for (const std::string& path : find_loaded(name))
      if (state.mpi != runtime_state::initialised) state.mpi = ask_mpi(path);
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
