// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/report/progress.hpp>

// Progress as users name it: Progress, progress_state, progress_snapshot, and the functions that choose a display by
// LK_PROGRESS and by what stderr is.

namespace lk::parallel {

/// What a display of one's own is handed (Progress::show).
using report::progress_snapshot;

/// A Progress that counts and shows nothing.
LK_PARALLEL_FUNCTION std::shared_ptr<Progress> null_progress();

/// A live display of some work. LK_PROGRESS chooses it: `bar` on stderr; `log`, an info line of the named spdlog logger
/// every five seconds and at the end; `json`, an object a line on stderr, at most one a second and one at the end;
/// `none`; `auto` or nothing, a bar where stderr is a terminal that can move its cursor, else log. Without a total it
/// shows counts and rates only. In a worker it shows nothing: its bars would tear the host's.
/// Throws: config_error where LK_PROGRESS is none of these.
LK_PARALLEL_FUNCTION std::shared_ptr<Progress>
make_progress(std::string logger, std::string label, std::optional<std::size_t> total = {}, std::string unit = {});

/// make_progress for the work of an invoker (invoker_options::progress). Source: lenskit.parallel.invoker.
inline std::shared_ptr<Progress> invoke_progress(std::string logger, std::string label,
                                                 std::optional<std::size_t> total = {}, std::string unit = {}) {
  return make_progress(std::move(logger), std::move(label), total, std::move(unit));
}

} // namespace lk::parallel

#ifndef LK_PARALLEL_COMPILED
#include <lk/parallel/progress_displays.hpp>
#endif
