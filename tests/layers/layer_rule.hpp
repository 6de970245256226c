// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

// The layer rule as data: which room may include which, and what each room knows alone. docs/design/layers.md shows
// the same table; check_tree.hpp holds the headers against it.

namespace lk::parallel::testing {

/// Room -> rooms it may include besides itself. The front (files directly in include/lk/parallel/) may include any.
inline const std::map<std::string, std::set<std::string>>& rooms() {
  static const std::map<std::string, std::set<std::string>> table{
      {"base", {}},
      {"config", {"base"}},
      {"files", {"base"}},
      {"wire", {"base"}},
      {"shm", {"base"}},
      {"threads", {"base", "config"}},
      {"report", {"base", "wire"}},
      {"process", {"base", "wire", "shm", "report"}},
      {"backends", {"base", "config", "wire", "shm", "threads", "report", "process"}},
  };
  return table;
}

/// Something that only one place may name.
struct secret {
  std::string what;                  ///< for the sentence
  std::vector<std::string> includes; ///< beginnings of what stands between the brackets of #include
  std::vector<std::string> words;    ///< identifiers
  std::vector<std::string> calls;    ///< identifiers that count where a `(` follows
  std::string place;                 ///< a room, or a file below include/lk/parallel/
};

inline const std::vector<secret>& secrets() {
  static const std::vector<secret> table{
      {"the environment", {}, {"getenv", "secure_getenv", "environ"}, {}, "config/environment.hpp"},
      {"hwloc", {"hwloc"}, {}, {}, "config"},
      {"oneTBB", {"tbb/", "oneapi/"}, {"tbb"}, {}, "threads"},
      {"the dynamic linker", {"dlfcn.h", "link.h"}, {"dlsym", "dlopen", "dl_iterate_phdr"}, {}, "threads"},
      {"spdlog", {"spdlog/", "fmt/"}, {"spdlog", "fmt"}, {}, "report"},
      {"shared memory", {"sys/mman.h"}, {"mmap", "munmap", "shm_open"}, {}, "shm"},
      {"the way of bytes to the disk", {}, {"fdatasync"}, {"fsync", "pwrite"}, "files"},
      {"futexes", {"linux/futex.h"}, {"SYS_futex"}, {}, "shm"},
      {"fork", {}, {"vfork", "posix_spawn", "clone3"}, {"fork"}, "process"},
      {"Eigen", {"Eigen/"}, {"Eigen"}, {}, "eigen.hpp"},
  };
  return table;
}

/// Folder and file names that say nothing about what is in them.
inline const std::set<std::string>& empty_words() {
  static const std::set<std::string> words{"detail", "details", "impl", "internal", "util", "utils", "helpers", "misc"};
  return words;
}

inline constexpr std::size_t most_lines = 350;
inline constexpr const char* licence_line = "// lk-parallel | SPDX-License-Identifier: MIT";

} // namespace lk::parallel::testing
