// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dirent.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <lk/parallel/shm/is_mapped.hpp>

// The stacks of the host's threads, kept for the child of a fork. Models, functions and what they refer to often lie on
// the stack of the thread that made the invoker. In the child that thread is no more, and glibc counts its stack as
// free: the first thread that a task starts would be given it, and would write over the model. Only the zygote's fork
// needs this; the workers inherit it.
//
// glibc has no word for "keep that stack". It takes a stack for free while the thread number in the thread's descriptor
// is not positive (FREE_P in nptl/nptl-stack.h, glibc 2.34 to 2.41; __reclaim_stacks sets the numbers to 0 in a child).
// So the numbers are put back. Where a descriptor lies is what get_robust_list(2) tells for each thread, since its
// robust list is a member of it; everything else is compared before it is used. Where nothing fits, nothing is kept.

namespace lk::parallel::process {

class kept_stacks {
 public:
  /// Finds the descriptors of the threads that there are, all but the calling one's, whose stack the child keeps
  /// anyway. Threads: safe; threads that start later are not kept. Throws: std::bad_alloc.
  static kept_stacks find() {
    kept_stacks found;
#if defined(__GLIBC__) && defined(SYS_get_robust_list)
    const auto* const own = reinterpret_cast<const std::byte*>(::pthread_self());
    const auto own_number = static_cast<pid_t>(::syscall(SYS_gettid));
    const std::byte* const own_list = robust_list_of(0);
    if (own_list <= own || own_list - own > longest_descriptor) return found;
    found.list_at_ = own_list - own;
    found.number_at_ = place_of_number(own, found.list_at_, own_number);
    if (found.number_at_ < 0) return found;
    DIR* const listing = ::opendir("/proc/self/task");
    if (listing == nullptr) return found;
    while (const dirent* entry = ::readdir(listing)) {
      const auto number = static_cast<pid_t>(std::atoi(entry->d_name));
      if (number <= 0) continue;
      const std::byte* const list = robust_list_of(number);
      if (list != nullptr) found.threads_.push_back({const_cast<std::byte*>(list) - found.list_at_, number});
    }
    ::closedir(listing);
#endif
    return found;
  }

  /// In the child, while it has one thread: their stacks are not given to other threads, here and in its children.
  void keep() const noexcept {
    for (const thread& one : threads_)
      if (is_reclaimed(one)) std::memcpy(one.descriptor + number_at_, &one.number, sizeof one.number);
  }

  std::size_t size() const { return threads_.size(); }

 private:
  struct thread {
    std::byte* descriptor;
    pid_t number;
  };
  static constexpr std::ptrdiff_t longest_descriptor = 4096;

  static const std::byte* robust_list_of(pid_t number) noexcept {
    const void* list = nullptr;
    std::size_t size = 0;
    return ::syscall(SYS_get_robust_list, number, &list, &size) == 0 ? static_cast<const std::byte*>(list) : nullptr;
  }

  /// The only place in front of the robust list that holds the thread's number; -1 where there is none, or several.
  static std::ptrdiff_t place_of_number(const std::byte* descriptor, std::ptrdiff_t size, pid_t number) noexcept {
    std::ptrdiff_t found = -1;
    for (std::ptrdiff_t at = 0; at < size; at += static_cast<std::ptrdiff_t>(sizeof number)) {
      if (std::memcmp(descriptor + at, &number, sizeof number) != 0) continue;
      if (found >= 0) return -1;
      found = at;
    }
    return found;
  }

  /// True where the memory is still there, still is a descriptor (a robust list begins with a pointer to itself), and
  /// its thread number was taken away. A thread may have ended, and its stack been unmapped, between find() and fork.
  bool is_reclaimed(const thread& one) const noexcept {
    const std::byte* const list = one.descriptor + list_at_;
    if (!shm::is_mapped(one.descriptor, static_cast<std::size_t>(list_at_) + sizeof(void*))) return false;
    const void* points_to = nullptr;
    pid_t number = 0;
    std::memcpy(&points_to, list, sizeof points_to);
    std::memcpy(&number, one.descriptor + number_at_, sizeof number);
    return points_to == list && number == 0;
  }

  std::vector<thread> threads_;
  std::ptrdiff_t list_at_ = -1;   ///< of the robust list in a descriptor. Units: bytes
  std::ptrdiff_t number_at_ = -1; ///< of the thread's number
};

} // namespace lk::parallel::process
