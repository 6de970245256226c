// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <support/catch.hpp>

// Files of procfs and cgroupfs as the tests want them, under a root of their own.

namespace lk::parallel::testing {

/// A made-up file system in a temporary folder.
class fake_machine {
 public:
  fake_machine() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lk-parallel-cgroup-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
  }
  ~fake_machine() { std::filesystem::remove_all(root_); }
  fake_machine(const fake_machine&) = delete;
  fake_machine& operator=(const fake_machine&) = delete;

  fake_machine& with(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ + path).substr(0, (root_ + path).rfind('/')));
    std::ofstream(root_ + path) << text;
    return *this;
  }
  fake_machine& with_quota_v1(const std::string& folder, const std::string& quota, const std::string& period) {
    return with(folder + "/cpu.cfs_quota_us", quota + "\n").with(folder + "/cpu.cfs_period_us", period + "\n");
  }
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

} // namespace lk::parallel::testing
