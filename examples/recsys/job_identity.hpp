// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <lk/parallel/base/version.hpp>
#include <lk/parallel/journal.hpp>

#include <recsys/number_text.hpp>
#include <recsys/shard.hpp>

// What the output of a batch job depends on. Two runs with the same identity write the same bytes, so that one may go
// on where the other was ended; numbers of workers and threads are no part of it.

namespace recsys {

inline std::string library_version() {
  const auto& v = lk::parallel::version;
  return std::to_string(v.major) + "." + std::to_string(v.minor) + "." + std::to_string(v.patch);
}

struct input_file {
  std::string role, path;
  lk::parallel::file_fingerprint content;
  std::filesystem::file_time_type written; ///< when it was last
};

class job_identity {
 public:
  job_identity(const std::string& program, const shard& part) : part_(part) {
    setting("program", program);
    setting("version", library_version());
    if (!part.is_whole_job()) setting("shard", std::to_string(part.index) + " of " + std::to_string(part.of));
  }

  /// A text, a number (as the shortest text that reads back as the same number) or a yes or no.
  template <class T> job_identity& setting(std::string name, const T& value) {
    if constexpr (std::same_as<T, bool>) {
      entries_.emplace_back(std::move(name), value ? "yes" : "no");
    } else if constexpr (std::is_arithmetic_v<T>) {
      std::string text;
      entries_.emplace_back(std::move(name), append_number(text, value));
    } else {
      entries_.emplace_back(std::move(name), std::string(value));
    }
    return *this;
  }

  /// A file by its content, not by its name. Blocks: while it is read. Throws: std::invalid_argument where it cannot
  /// be.
  job_identity& input(const std::string& role, const std::string& path) {
    std::error_code unknown;
    const auto status = std::filesystem::status(path, unknown);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
      throw std::invalid_argument(path + ": cannot be read: a regular file is expected, since a job that goes on reads "
                                         "it again");
    const auto written = std::filesystem::last_write_time(path, unknown);
    try {
      inputs_.push_back({role, path, lk::parallel::fingerprint(path), written});
    } catch (const lk::parallel::resource_error& e) {
      throw std::invalid_argument(path + ": cannot be read: " + std::strerror(e.errno_code));
    }
    return setting(role, to_string(inputs_.back().content));
  }

  /// For when the inputs were read. Throws: std::invalid_argument where one has been written since it was added here.
  void check_inputs_at_rest() const {
    std::error_code gone;
    for (const input_file& one : inputs_)
      if (std::filesystem::last_write_time(one.path, gone) != one.written)
        throw std::invalid_argument(one.path + " was changed while it was read; start again when it is complete");
  }

  const lk::parallel::journal_identity& entries() const { return entries_; }
  const std::vector<input_file>& inputs() const { return inputs_; }
  const shard& part() const { return part_; }

 private:
  shard part_;
  lk::parallel::journal_identity entries_;
  std::vector<input_file> inputs_;
};

} // namespace recsys
