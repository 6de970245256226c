// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/files/file.hpp>

// Which file an output is, and the names of those beside it.

namespace lk::parallel::files {

/// The file that a name stands for: links are followed, to one that is not there yet as well. Throws: config_error,
/// resource_error.
inline std::filesystem::path output_path(const std::filesystem::path& asked) {
  namespace fs = std::filesystem;
  const auto refuse = [&](const char* expectation) { throw config_error("output", asked.string(), expectation); };
  fs::path found = asked;
  std::error_code problem;
  for (int n_links = 0; fs::is_symlink(found, problem); ++n_links) {
    if (n_links == 40) refuse("a file is expected, not a circle of links");
    found = found.parent_path() / fs::read_symlink(found, problem);
  }
  if (fs::is_directory(found, problem)) refuse("a file is expected, not a folder");
  if (!found.has_filename()) refuse("the name of a file is expected");
  if (fs::exists(found, problem) && !fs::is_regular_file(found, problem))
    refuse("a regular file is expected, one that can be renamed");
  const fs::path folder = fs::canonical(found.has_parent_path() ? found.parent_path() : fs::path("."), problem);
  if (problem) fail("open", asked, problem.value());
  return folder / found.filename();
}

inline std::filesystem::path beside(const std::filesystem::path& output, const char* suffix) {
  return output.string() + suffix;
}

} // namespace lk::parallel::files
