// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

#include <initializer_list>
#include <stop_token>

#include <lk/parallel/base/linkage.hpp>

// Ctrl-C as a stop token: for programs whose main job is a map that should end in good order.

namespace lk::parallel {

/// A token that is stopped by the first of these signals; the second one has its default action, so that an impatient
/// user gets through. For invoker_options::stop. Threads: safe. Throws: resource_error.
/// The handlers stay for the rest of the process's life, as does one waiting thread.
LK_PARALLEL_FUNCTION std::stop_token stop_on_signals(std::initializer_list<int> signals = {SIGINT, SIGTERM});

} // namespace lk::parallel

#ifndef LK_PARALLEL_COMPILED
#include <lk/parallel/signal_stop.hpp>
#endif
