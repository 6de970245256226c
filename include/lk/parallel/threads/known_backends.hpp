// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <lk/parallel/config/environment.hpp>
#include <lk/parallel/threads/backend_pool.hpp>
#include <lk/parallel/threads/loaded_objects.hpp>

// The libraries whose thread pools can be steered, each known by functions that it defines itself, so whatever its file
// is called. Which functions tell and set what: the documentation of threadpoolctl, and of the libraries.

namespace lk::parallel::threads {

using found_pools = std::vector<backend_pool>;

/// A whole number of the widths that BLIS counts in: dim_t and gint_t, 64 bits in every packaged build.
using blis_int = long;

/// `variable` where that has a text, else "".
inline std::string when_set(const char* variable) { return config::read_environment_text(variable) ? variable : ""; }

inline void add_pool(found_pools& found, const open_object& object, backend_pool pool, backend_controls controls) {
  pool.file = object.file();
  // The controls hold the object open, and so does every copy of the pool.
  auto shared = std::make_shared<std::pair<open_object, backend_controls>>(object, std::move(controls));
  pool.controls = std::shared_ptr<const backend_controls>(shared, &shared->second);
  found.push_back(std::move(pool));
}

/// Beginnings and ends of OpenBLAS's names: 64-bit builds, and the builds that come with SciPy, have names of their
/// own.
inline constexpr std::array<const char*, 2> openblas_prefixes{"", "scipy_"};
inline constexpr std::array<const char*, 3> openblas_suffixes{"", "64_", "_64"};

inline void find_openblas(const open_object& object, found_pools& found) {
  for (const char* prefix : openblas_prefixes) {
    for (const char* suffix : openblas_suffixes) {
      const auto name = [&](const char* function) { return std::string(prefix) + "openblas_" + function + suffix; };
      auto* const get = object.own<int()>(name("get_num_threads"));
      auto* const set = get == nullptr ? nullptr : object.own<void(int)>(name("set_num_threads"));
      if (set == nullptr) continue;
      backend_pool pool{.kind = backend_kind::blas, .name = "OpenBLAS", .variable = when_set("OPENBLAS_NUM_THREADS")};
      if (auto* const config = object.own<const char*()>(name("get_config"))) { // "OpenBLAS 0.3.21 NO_LAPACKE ..."
        const std::string text = config();
        const std::size_t from = text.starts_with("OpenBLAS ") ? 9 : text.size();
        pool.version = text.substr(from, text.find(' ', from) - from);
      }
      if (auto* const parallel = object.own<int()>(name("get_parallel"))) {
        constexpr std::array layers{"sequential", "pthreads", "openmp"};
        const auto layer = static_cast<std::size_t>(parallel());
        if (layer < layers.size()) pool.threading_layer = layers[layer];
      }
      add_pool(found, object, std::move(pool), {get, set});
      return;
    }
  }
}

inline void find_mkl(const open_object& object, found_pools& found) {
  auto* const get = object.own<int()>("MKL_Get_Max_Threads");
  auto* const set = get == nullptr ? nullptr : object.own<void(int)>("MKL_Set_Num_Threads");
  if (set == nullptr) return;
  backend_pool pool{.kind = backend_kind::blas, .name = "MKL", .variable = when_set("MKL_NUM_THREADS")};
  if (auto* const tell = object.own<void(char*, int)>("MKL_Get_Version_String")) {
    std::array<char, 256> text{}; // "Intel(R) oneAPI Math Kernel Library Version 2024.2-Product Build ..."
    tell(text.data(), static_cast<int>(text.size()) - 1);
    const std::string_view line = text.data();
    const std::size_t word = line.find("Version ");
    if (word != line.npos) {
      const std::size_t from = word + 8;
      pool.version = line.substr(from, line.find_first_of(" -", from) - from);
    }
  }
  if (auto* const layer = object.own<int(int)>("MKL_Set_Threading_Layer")) { // -1 asks, and changes nothing
    constexpr std::array layers{"intel", "sequential", "pgi", "gnu", "tbb"};
    const auto index = static_cast<std::size_t>(layer(-1));
    if (index < layers.size()) pool.threading_layer = layers[index];
  }
  add_pool(found, object, std::move(pool), {get, set});
}

inline void find_blis(const open_object& object, found_pools& found) {
  auto* const get = object.own<blis_int()>("bli_thread_get_num_threads");
  auto* const set = get == nullptr ? nullptr : object.own<void(blis_int)>("bli_thread_set_num_threads");
  if (set == nullptr) return;
  backend_pool pool{.kind = backend_kind::blas, .name = "BLIS", .variable = when_set("BLIS_NUM_THREADS")};
  if (auto* const version = object.own<const char*()>("bli_info_get_version_str")) pool.version = version();
  const auto enabled = [&](const char* function) {
    auto* const ask = object.own<blis_int()>(function);
    return ask != nullptr && ask() != 0;
  };
  pool.threading_layer = enabled("bli_info_get_enable_openmp")     ? "openmp"
                         : enabled("bli_info_get_enable_pthreads") ? "pthreads"
                                                                   : "sequential";
  add_pool(found, object, std::move(pool), {[get] { return static_cast<int>(get()); }, [set](int n) { set(n); }});
}

/// A switch in front of another BLAS, which is found as well; the variable of that one counts for both.
/// True where the object is FlexiBLAS. It also defines functions of those it stands for.
inline bool find_flexiblas(const open_object& object, found_pools& found) {
  auto* const get = object.own<int()>("flexiblas_get_num_threads");
  auto* const set = get == nullptr ? nullptr : object.own<void(int)>("flexiblas_set_num_threads");
  if (set == nullptr) return false;
  backend_pool pool{.kind = backend_kind::blas, .name = "FlexiBLAS"};
  if (auto* const version = object.own<void(int*, int*, int*)>("flexiblas_get_version")) {
    std::array<int, 3> number{};
    version(&number[0], &number[1], &number[2]);
    pool.version = std::to_string(number[0]) + '.' + std::to_string(number[1]) + '.' + std::to_string(number[2]);
  }
  if (auto* const current = object.own<int(char*, std::size_t)>("flexiblas_current_backend")) {
    std::array<char, 256> text{};
    if (current(text.data(), text.size() - 1) > 0) pool.threading_layer = text.data();
    std::ranges::transform(pool.threading_layer, pool.threading_layer.begin(),
                           [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  }
  constexpr std::array<std::pair<std::string_view, const char*>, 3> variables{
      {{"openblas", "OPENBLAS_NUM_THREADS"}, {"mkl", "MKL_NUM_THREADS"}, {"blis", "BLIS_NUM_THREADS"}}};
  for (const auto& [behind, variable] : variables)
    if (pool.threading_layer.find(behind) != std::string::npos) pool.variable = when_set(variable);
  add_pool(found, object, std::move(pool), {get, set});
  return true;
}

/// LLVM's libomp has GCC's functions as well, and often a link named libgomp.so or libiomp5.so points to it; so GCC's
/// is the one without LLVM's functions, and Intel's is known by the file behind the links.
inline void find_openmp(const open_object& object, found_pools& found) {
  auto* const get = object.own<int()>("omp_get_max_threads");
  auto* const set = get == nullptr ? nullptr : object.own<void(int)>("omp_set_num_threads");
  if (set == nullptr) return;
  const bool llvm = object.own<void()>("__kmpc_fork_call") != nullptr;
  if (!llvm && object.own<void()>("GOMP_parallel") == nullptr) return; // stubs, which start no threads
  std::error_code none;
  const std::string behind_links = std::filesystem::canonical(object.file(), none).filename().string();
  const char* const name = !llvm ? "libgomp" : behind_links.find("iomp") != std::string::npos ? "libiomp5" : "libomp";
  add_pool(found, object, {.kind = backend_kind::openmp, .name = name, .per_thread = true}, {get, set});
}

/// LibTorch's C++ functions, by their names in the Itanium ABI. Nothing is called here: a first call on a thread sets
/// OpenMP's count there. The version is known to LibTorch's headers only.
inline void find_torch(const open_object& object, found_pools& found) {
  const auto add = [&](backend_kind kind, const char* get_name, const char* set_name, const char* layer) {
    auto* const get = object.own<int()>(get_name);
    auto* const set = get == nullptr ? nullptr : object.own<void(int)>(set_name);
    if (set != nullptr)
      add_pool(found, object, {.kind = kind, .name = "LibTorch", .threading_layer = layer}, {get, set});
  };
  const bool own_threads = object.own<void()>("_ZN2at8internal13_parallel_runElllRKSt8functionIFvllmEE") != nullptr;
  add(backend_kind::torch_intra_op, "_ZN2at15get_num_threadsEv", "_ZN2at15set_num_threadsEi",
      own_threads ? "native" : "openmp");
  add(backend_kind::torch_inter_op, "_ZN2at23get_num_interop_threadsEv", "_ZN2at23set_num_interop_threadsEi", "native");
}

/// An object without any of these functions has no pool.
inline std::vector<std::string> names_of_backends() {
  std::vector<std::string> names{"omp_get_max_threads",       "flexiblas_get_num_threads",
                                 "MKL_Get_Max_Threads",       "bli_thread_get_num_threads",
                                 "_ZN2at15get_num_threadsEv", "_ZN2at23get_num_interop_threadsEv"};
  for (const char* prefix : openblas_prefixes)
    for (const char* suffix : openblas_suffixes)
      names.push_back(std::string(prefix) + "openblas_get_num_threads" + suffix);
  return names;
}

/// Adds the pools of this object.
inline void find_backends(const open_object& object, found_pools& found) {
  find_openmp(object, found);
  if (find_flexiblas(object, found)) return;
  find_openblas(object, found);
  find_mkl(object, found);
  find_blis(object, found);
  find_torch(object, found);
}

} // namespace lk::parallel::threads
