// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/file.h>

#include <lk/parallel/base/unique_fd.hpp>

// Coverage counters of a child that leaves by _exit, which skips the exit handler that would write them. The functions
// belong to the compilers' runtime libraries: weak, so that they are null in a program that was not built for coverage.
// gcc: __gcov_exit is in every such program, the two others only where something asks for them (-Wl,-u,__gcov_reset).
// clang: all of each family are there.

extern "C" {
[[gnu::weak]] void __gcov_exit();
[[gnu::weak]] void __gcov_dump();
[[gnu::weak]] void __gcov_reset();
[[gnu::weak]] int __llvm_profile_write_file();
[[gnu::weak]] void __llvm_profile_reset_counters();
}

namespace lk::parallel::process {

/// Whether this program counts the lines it runs (gcc and clang --coverage, clang -fprofile-instr-generate).
inline bool counts_coverage() noexcept {
  return __gcov_exit != nullptr || __gcov_dump != nullptr || __llvm_profile_write_file != nullptr;
}

/// Forgets what was counted before the fork: the parent will write that itself. Where gcc gives no way, the parent's
/// lines are counted again, which does not change whether they were run.
inline void forget_coverage() noexcept {
  if (__gcov_reset != nullptr) __gcov_reset();
  if (__llvm_profile_reset_counters != nullptr) __llvm_profile_reset_counters();
}

/// Adds what this process has counted to the files. Blocks: while another process writes them.
inline void write_coverage() noexcept {
  if (__gcov_dump != nullptr)
    __gcov_dump();
  else if (__gcov_exit != nullptr)
    __gcov_exit();
  if (__llvm_profile_write_file != nullptr) {
    // It appends to one file for all processes and locks it only where the name asks for merging (%m).
    const base::unique_fd program(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    if (program) ::flock(program.get(), LOCK_EX);
    __llvm_profile_write_file();
  }
}

} // namespace lk::parallel::process
