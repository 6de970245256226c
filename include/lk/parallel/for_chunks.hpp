// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/report/progress.hpp>
#include <lk/parallel/threads/ordered_fold.hpp>
#include <lk/parallel/threads/work_chunks.hpp>

// Chunked work on the training arena, for code that trains models. All of it runs in place, on the calling thread,
// where that is already inside a task: in a chunk, in a task of an invoker, in a worker process.

namespace lk::parallel {

namespace front {

/// Calls body(idx) for each index below n on the training arena. Throws: the first exception of body.
LK_PARALLEL_FUNCTION void loop_on_training_threads(std::size_t n, const std::function<void(std::size_t)>& body);

/// Throws: what fn throws.
LK_PARALLEL_FUNCTION void run_on_training_threads(const std::function<void()>& fn);

} // namespace front

/// Calls fn(chunk) once for each chunk; several threads call the same fn at once. An empty WorkChunks calls nothing.
/// `progress` moves by the chunk's size as each chunk ends.
/// Blocks: until all chunks have ended. Throws: the first exception of fn; chunks not begun by then are left out.
template <class Fn> void for_chunks(const WorkChunks& chunks, Fn&& fn, std::shared_ptr<Progress> progress = {}) {
  static_assert(std::invocable<Fn&, chunk>,
                "lk::parallel::for_chunks: the function must be callable with an lk::parallel::chunk");
  front::loop_on_training_threads(chunks.size(), [&](std::size_t idx) {
    const chunk jobs = chunks[idx];
    fn(jobs);
    if (progress) progress->update(jobs.size());
  });
}

/// total = reduce(total, map(chunk)) over all chunks, beginning with init. map runs in parallel; reduce runs once for
/// each chunk, one at a time and in chunk order, so the result is the same, bit for bit, for any number of threads.
/// Blocks: until all chunks have ended. Throws: the first exception of map or reduce.
template <class T, class Map, class Reduce>
T reduce_chunks(const WorkChunks& chunks, T init, Map&& map, Reduce&& reduce) {
  static_assert(std::invocable<Map&, chunk>,
                "lk::parallel::reduce_chunks: the map function must be callable with an lk::parallel::chunk");
  using value = std::decay_t<std::invoke_result_t<Map&, chunk>>;
  static_assert(
      std::is_invocable_r_v<T, Reduce&, T, value>,
      "lk::parallel::reduce_chunks: the reduce function must take the total and what the map function returns, "
      "and return a total");
  threads::ordered_fold<T, value, std::remove_reference_t<Reduce>> fold(std::move(init), reduce);
  front::loop_on_training_threads(chunks.size(), [&](std::size_t idx) { fold.put(idx, map(chunks[idx])); });
  return fold.take();
}

/// Calls fn on the thread that owns the training arena and hands back what it returns: every oneTBB algorithm inside
/// uses the arena's threads. Callers take turns; in place where the calling thread is inside a task.
/// Blocks: until earlier callers and fn have finished. Throws: what fn throws.
template <class Fn> auto with_training_threads(Fn&& fn) {
  static_assert(std::invocable<Fn&>,
                "lk::parallel::with_training_threads: the function must be callable without arguments");
  using result = std::decay_t<std::invoke_result_t<Fn&>>;
  if constexpr (std::is_void_v<result>) {
    front::run_on_training_threads([&] { fn(); });
  } else {
    std::optional<result> value;
    front::run_on_training_threads([&] { value.emplace(fn()); });
    return std::move(*value);
  }
}

} // namespace lk::parallel

#ifndef LK_PARALLEL_COMPILED
#include <lk/parallel/training.hpp>
#endif
