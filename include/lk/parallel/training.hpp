// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>

#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/for_chunks.hpp>
#include <lk/parallel/runtime.hpp>
#include <lk/parallel/threads/chunk_loop.hpp>

// How the loops of for_chunks.hpp get to the training arena.

namespace lk::parallel::front {

LK_PARALLEL_DEFINITION void loop_on_training_threads(std::size_t n, const std::function<void(std::size_t)>& body) {
  threads::loop_over(runtime::instance().training(), n, body);
}

LK_PARALLEL_DEFINITION void run_on_training_threads(const std::function<void()>& fn) {
  runtime::instance().training().run(fn);
}

} // namespace lk::parallel::front
