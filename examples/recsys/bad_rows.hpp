// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>

#include <spdlog/spdlog.h>

// What becomes of a row of an input file that cannot be used: the first one is the end, or all are left out and
// counted.

namespace recsys {

/// An input file cannot be used; what() has file, line, content and expectation.
class input_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class on_bad_row { fail, skip };

inline const std::map<std::string, on_bad_row>& bad_row_names() {
  static const std::map<std::string, on_bad_row> names{{"fail", on_bad_row::fail}, {"skip", on_bad_row::skip}};
  return names;
}

class bad_rows {
 public:
  explicit bad_rows(on_bad_row policy = on_bad_row::fail) : policy_(policy) {}

  /// what: the row's place, content and fault. Throws: input_error where bad rows are not left out.
  void meet(const std::string& what) {
    if (policy_ == on_bad_row::fail) throw input_error(what);
    if (++n_ <= n_shown) spdlog::warn("{}; left out", what);
    if (n_ == n_shown + 1) spdlog::warn("there are more rows that are left out; the summary says how many");
  }

  std::size_t count() const { return n_; }

 private:
  static constexpr std::size_t n_shown = 5;

  on_bad_row policy_;
  std::size_t n_ = 0;
};

} // namespace recsys
