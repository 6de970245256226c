// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include <lk/parallel/threads/backend_pool.hpp>
#include <lk/parallel/threads/known_backends.hpp>
#include <lk/parallel/threads/loaded_objects.hpp>

// The thread pools of BLAS, OpenMP and LibTorch libraries, found among what the process has loaded, so that the library
// links none of them. The arenas and the front size them through this. A pool whose library's own variable is set has
// been sized by the user and is left alone by everything here.

namespace lk::parallel::threads {

/// What was loaded at the last look. The found libraries stay loaded as long as a copy lives: whoever calls dlclose
/// cannot pull a function away from under a call.
/// Threads: different copies may be used at once; the process-wide settings are as safe as the found library makes
/// them: call them where none of its functions runs. Fork: a child has what its parent had found.
class backend_pools {
 public:
  /// What is loaded now. Blocks: while another thread is inside dlopen.
  static backend_pools find() {
    backend_pools found;
    found.refresh();
    return found;
  }

  /// Looks again where the linker has loaded or unloaded something since, which costs ten nanoseconds to know.
  /// True where there are pools that were not there before.
  bool refresh() {
    if (seen_->epoch == current_loader_epoch()) return false;
    const loaded_list now = list_objects_defining(names_of_backends());
    auto next = std::make_shared<snapshot>();
    next->pools = seen_->pools;
    for (const loaded_object& object : now.objects) {
      if (std::ranges::find(seen_->objects, object) == seen_->objects.end()) {
        const open_object opened(object.name);
        if (!opened) continue; // a dlopen that failed in the end
        find_backends(opened, next->pools);
      }
      next->objects.push_back(object);
    }
    forget_parts_of_mkl(next->pools);
    const auto is_new = [&](const backend_pool& pool) {
      return std::ranges::find(seen_->pools, pool.controls, &backend_pool::controls) == seen_->pools.end();
    };
    next->first_new = static_cast<std::size_t>(std::ranges::find_if(next->pools, is_new) - next->pools.begin());
    next->epoch = now.epoch;
    seen_ = std::move(next);
    return seen_->first_new < seen_->pools.size();
  }

  const std::vector<backend_pool>& all() const { return seen_->pools; }

  /// Sizes the pools of the process, and OpenMP for this thread. -1 leaves everything alone.
  void set(int n) const {
    set_libraries(n);
    set_for_this_thread(n);
  }

  /// Only the pools of the process, without LibTorch's inter-op pool. -1 leaves them alone.
  void set_libraries(int n) const { set_libraries_from(0, n); }

  /// Sizes what has been loaded since the last look, and OpenMP for this thread where there is something new; what was
  /// there before stays as others may have set it meanwhile. True where there is something new.
  bool set_new(int n) {
    bool more = false;
    while (refresh()) { // again, since MKL loads its parts when it is sized
      set_libraries_from(seen_->first_new, n);
      more = true;
    }
    if (more) set_for_this_thread(n);
    return more;
  }

  /// What set_libraries() sets: one number for each pool.
  std::vector<int> get_libraries() const {
    std::vector<int> counts;
    const std::vector<int> openmp = get_for_this_thread(); // LibTorch's first answer on a thread changes it
    for (const backend_pool& pool : seen_->pools) counts.push_back(is_sized_here(pool) ? pool.threads() : 0);
    restore_for_this_thread(openmp);
    return counts;
  }

  /// Gives back what get_libraries() has said; what was found since then stays as it is.
  void restore_libraries(const std::vector<int>& counts) const {
    const std::vector<int> openmp = get_for_this_thread();
    for (std::size_t i = 0; i < std::min(counts.size(), seen_->pools.size()); ++i)
      if (is_sized_here(seen_->pools[i]) && counts[i] > 0) seen_->pools[i].try_set_threads(counts[i]);
    restore_for_this_thread(openmp);
  }

  /// LibTorch's inter-op pool, which takes a size once in the life of the process, before its first use.
  void set_inter_op(int n) const {
    for (const backend_pool& pool : seen_->pools)
      if (n >= 1 && pool.kind == backend_kind::torch_inter_op && pool.threads() != n) pool.try_set_threads(n);
  }

  /// Only what belongs to the calling thread: OpenMP's count is a variable of each thread (OpenMP 5.2, section 2.2).
  void set_for_this_thread(int n) const {
    if (n < 1) return;
    for (const backend_pool& pool :
         seen_->pools) // LibTorch's first call on a thread sets OpenMP itself; let it be over
      if (pool.kind == backend_kind::torch_intra_op) (void)pool.threads();
    for (const backend_pool& pool : seen_->pools)
      if (pool.per_thread) pool.try_set_threads(n);
  }

  /// What OpenMP would use on this thread: one count for each OpenMP library, or none.
  std::vector<int> get_for_this_thread() const {
    std::vector<int> counts;
    for (const backend_pool& pool : seen_->pools)
      if (pool.per_thread) counts.push_back(pool.threads());
    return counts;
  }

  /// Gives back what get_for_this_thread() of this object has said, on the same thread.
  void restore_for_this_thread(const std::vector<int>& counts) const {
    auto count = counts.begin();
    for (const backend_pool& pool : seen_->pools)
      if (pool.per_thread && count != counts.end()) pool.try_set_threads(*count++);
  }

 private:
  struct snapshot {
    loader_epoch epoch;
    std::vector<loaded_object> objects; // those that pools are from
    std::vector<backend_pool> pools;    // in the order in which they were found
    std::size_t first_new = 0;          // those from here on were found by the last look
  };

  static bool is_sized_here(const backend_pool& pool) {
    return (pool.kind == backend_kind::blas || pool.kind == backend_kind::torch_intra_op) && pool.variable.empty();
  }

  // An OpenBLAS or LibTorch on OpenMP sets the calling thread's OpenMP count as well, which is not meant here.
  void set_libraries_from(std::size_t first, int n) const {
    if (n < 1 || first == seen_->pools.size()) return;
    const std::vector<int> openmp = get_for_this_thread();
    for (auto pool = seen_->pools.begin() + static_cast<std::ptrdiff_t>(first); pool != seen_->pools.end(); ++pool)
      if (is_sized_here(*pool)) pool->try_set_threads(n);
    restore_for_this_thread(openmp);
  }

  // libmkl_rt loads MKL's other libraries and speaks for them.
  static void forget_parts_of_mkl(std::vector<backend_pool>& pools) {
    const auto speaks_for_all = [](const backend_pool& pool) {
      return pool.name == "MKL" && pool.file.find("libmkl_rt") != std::string::npos;
    };
    if (std::ranges::none_of(pools, speaks_for_all)) return;
    std::erase_if(pools, [&](const backend_pool& pool) { return pool.name == "MKL" && !speaks_for_all(pool); });
  }

  std::shared_ptr<const snapshot> seen_ = std::make_shared<const snapshot>();
};

/// The same in a fresh child, for what its parent had found. OpenBLAS first gets 1: where the fork met its threads at
/// work, the child's first product hangs unless the pool is made anew.
inline void set_backend_threads_after_fork(const backend_pools& pools, int n) {
  if (n >= 1) pools.set(1);
  pools.set(n);
}

} // namespace lk::parallel::threads
