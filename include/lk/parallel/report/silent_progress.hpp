// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <lk/parallel/report/progress.hpp>

// The display that shows nothing. It counts as the others do.

namespace lk::parallel::report {

class silent_progress final : public Progress {
 public:
  silent_progress() : Progress({}, {}, {}) {}
  ~silent_progress() override { finish(); }

  void show(const progress_snapshot&) override {}
};

} // namespace lk::parallel::report
