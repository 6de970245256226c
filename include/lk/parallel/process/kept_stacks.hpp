// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dirent.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include <lk/parallel/shm/is_mapped.hpp>

// The stacks of the host's threads, kept for the child of a fork. Models, functions and what they refer to often lie on
// the stack of the thread that made the invoker. In the child that thread is no more, and glibc counts its stack as
// free: the first thread that a task starts would be given it, and would write over the model. Only the zygote's fork
// needs this; the workers inherit it.
//
// glibc has no word for "keep that stack". Its list of free stacks (nptl/nptl-stack.c, allocatestack.c, glibc 2.34 to
// 2.41) goes by the size that the descriptor of each thread holds, beside the address of the stack. So in the child
// these sizes are cut down to the guard page: no thread fits there, and if glibc gives a stack back to the system it
// gives the guard page. Joins of threads that are not there still return at once, as they do in any forked child; fork
// handlers of libraries rely on it. Where a descriptor lies is what get_robust_list(2) tells for each thread, since its
// robust list is a member of it; everything is compared before it is changed. Where nothing fits, nothing is kept.

namespace lk::parallel::process {

/// Where glibc keeps address and size of a thread's stack: side by side in the thread's descriptor, which itself lies
/// at the upper end of that stack. Units: bytes from the descriptor's begin.
struct stack_words {
  std::ptrdiff_t place = 0;

  /// As the calling thread's own descriptor has it; nothing on the main thread, whose stack is the kernel's.
  static std::optional<stack_words> find_here() noexcept {
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return std::nullopt;
    void* lowest = nullptr;
    std::size_t size = 0;
    const bool is_known = ::pthread_attr_getstack(&attributes, &lowest, &size) == 0;
    ::pthread_attr_destroy(&attributes);
    if (!is_known) return std::nullopt;
    const auto end = reinterpret_cast<std::uintptr_t>(lowest) + size; // the guard is below `lowest`
    const auto* const self = reinterpret_cast<const std::byte*>(::pthread_self());
    constexpr std::ptrdiff_t longest_descriptor = 2048;
    std::optional<stack_words> found;
    for (std::ptrdiff_t at = 0; at < longest_descriptor; at += static_cast<std::ptrdiff_t>(sizeof(std::uintptr_t))) {
      const stack_words here{at};
      if (here.begin_of(self) + here.size_of(self) != end || !here.is_around(self)) continue;
      if (found) return std::nullopt; // not to be told apart
      found = here;
    }
    return found;
  }

  std::uintptr_t begin_of(const std::byte* descriptor) const noexcept { return word(descriptor, 0); }
  std::uintptr_t size_of(const std::byte* descriptor) const noexcept { return word(descriptor, 1); }
  /// Whether they are page by page and have the descriptor between them.
  bool is_around(const std::byte* descriptor) const noexcept {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto self = reinterpret_cast<std::uintptr_t>(descriptor);
    const std::uintptr_t begin = begin_of(descriptor), size = size_of(descriptor);
    return begin % page == 0 && size % page == 0 && size > page && begin < self && self - begin < size;
  }
  void cut_down(std::byte* descriptor) const noexcept {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    std::memcpy(descriptor + place + sizeof(std::uintptr_t), &page, sizeof page);
  }

 private:
  std::uintptr_t word(const std::byte* descriptor, int idx) const noexcept {
    std::uintptr_t value = 0;
    std::memcpy(&value, descriptor + place + idx * static_cast<int>(sizeof value), sizeof value);
    return value;
  }
};

class kept_stacks {
 public:
  /// Finds the descriptors of the threads that there are. Threads: safe; threads that start later are not kept.
  /// Throws: std::bad_alloc.
  static kept_stacks find() {
    kept_stacks found;
#if defined(__GLIBC__) && defined(SYS_get_robust_list)
    const std::byte* const own_list = robust_list_of(0);
    found.list_at_ = own_list - reinterpret_cast<const std::byte*>(::pthread_self());
    constexpr std::ptrdiff_t longest_descriptor = 4096;
    if (own_list == nullptr || found.list_at_ <= 0 || found.list_at_ > longest_descriptor) return found;
    DIR* const listing = ::opendir("/proc/self/task");
    if (listing == nullptr) return found;
    while (const dirent* entry = ::readdir(listing)) {
      const auto number = static_cast<pid_t>(std::atoi(entry->d_name));
      const std::byte* const list = number > 0 ? robust_list_of(number) : nullptr;
      if (list != nullptr) found.descriptors_.push_back(const_cast<std::byte*>(list) - found.list_at_);
    }
    ::closedir(listing);
#endif
    return found;
  }

  /// In the child, on its only thread, which is none of those found: their stacks are not given to other threads, here
  /// and in its children.
  void keep() const noexcept {
    const std::optional<stack_words> words = stack_words::find_here();
    if (!words) return;
    for (std::byte* const descriptor : descriptors_)
      if (is_still_there(descriptor) && words->is_around(descriptor)) words->cut_down(descriptor);
  }

  std::size_t size() const { return descriptors_.size(); }

 private:
  static const std::byte* robust_list_of(pid_t number) noexcept {
    const void* list = nullptr;
    std::size_t size = 0;
    return ::syscall(SYS_get_robust_list, number, &list, &size) == 0 ? static_cast<const std::byte*>(list) : nullptr;
  }

  /// True where the memory is still there and still is a descriptor: a robust list begins with a pointer to itself. A
  /// thread may have ended, and its stack been unmapped, between find() and fork.
  bool is_still_there(const std::byte* descriptor) const noexcept {
    const std::byte* const list = descriptor + list_at_;
    if (!shm::is_mapped(descriptor, static_cast<std::size_t>(list_at_) + sizeof(void*))) return false;
    const void* points_to = nullptr;
    std::memcpy(&points_to, list, sizeof points_to);
    return points_to == list;
  }

  std::vector<std::byte*> descriptors_;
  std::ptrdiff_t list_at_ = -1; ///< of the robust list in a descriptor. Units: bytes
};

} // namespace lk::parallel::process
