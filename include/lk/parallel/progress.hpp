// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <lk/parallel/report/progress.hpp>
#include <lk/parallel/report/progress_display.hpp>

// Progress as users name it: Progress, progress_state, and invoke_progress, which chooses the display.

namespace lk::parallel {

/// A live display of invoker work: a bar where stderr is a terminal, else an info line of the named spdlog logger every
/// five seconds and at the end. Without a total it shows counts and rates only.
/// Source: lenskit.parallel.invoker.invoke_progress.
inline std::shared_ptr<Progress> invoke_progress(std::string logger, std::string label,
                                                 std::optional<std::size_t> total = {}, std::string unit = {}) {
  if (::isatty(STDERR_FILENO) == 1)
    return std::make_shared<report::terminal_progress>(STDERR_FILENO, std::move(label), total, std::move(unit));
  return std::make_shared<report::log_progress>(std::move(logger), std::move(label), total, std::move(unit));
}

} // namespace lk::parallel
