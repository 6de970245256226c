// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <lk/parallel/backends/backend.hpp>
#include <lk/parallel/backends/task_context.hpp>
#include <lk/parallel/backends/work.hpp>
#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/process/pool.hpp>
#include <lk/parallel/process/running_task.hpp>
#include <lk/parallel/wire/argument_codec.hpp>
#include <lk/parallel/wire/codec.hpp>
#include <lk/parallel/wire/error_of_task.hpp>
#include <lk/parallel/wire/frame.hpp>

// The thin typed layer over the process room: encodes arguments into the workers' rings, decodes results out of them,
// and gives the workers the code that does the reverse around the call.

namespace lk::parallel::backends {

/// What a worker runs for one task. `state` is the work object of the invoker, inherited by fork.
template <class Work, class Arg> void run_in_worker(void* state, process::running_task& task) {
  using result = function_result_t<typename Work::function_type, typename Work::model_type, Arg>;
  auto stored = wire::argument_codec<Arg>::decode(task.argument);
  task.argument.expect_end();
  task_context context(task.index, task.seed, task.attempt, task.worker, {task.first_live_ticket, task.ticket});
  task.stage = task_stage::call;
  auto value = static_cast<Work*>(state)->template call<Arg>(wire::argument_codec<Arg>::pass(stored), context);
  task.stage = task_stage::encode_result;
  if constexpr (wire::plain_bytes<result>) {
    if (task.plain_result != nullptr) {
      std::memcpy(task.plain_result, std::addressof(value), sizeof value);
      return;
    }
  }
  wire::writer& out = task.sender->begin();
  if constexpr (!std::is_void_v<result>) wire::encode(value, out);
}

/// One map on a pool of worker processes. Lifetime: the pool outlives it.
template <class Work, class Arg, class Element>
class process_backend final
    : public backend<Element, function_result_t<typename Work::function_type, typename Work::model_type, Arg>> {
 public:
  using result = function_result_t<typename Work::function_type, typename Work::model_type, Arg>;

  /// Throws: worker_lost where the pool has died.
  process_backend(process::pool& pool, std::uint64_t seed, std::uint64_t first_task)
      : pool_(pool)
      , next_index_(first_task) {
    pool_.begin_map({.entry = &run_in_worker<Work, Arg>,
                     .seed = seed,
                     .first_index = first_task,
                     .argument_bytes = wire::short_argument<Arg> ? sizeof(Arg) : 0,
                     .result_bytes = bytes_of_plain_result()});
  }

  void expect(std::size_t n_tasks) override { pool_.expect(n_tasks); }

  std::size_t room() override { return run_.n_left > 0 ? run_.n_left : std::size_t{pool_.has_room()}; }

  void submit(Element element) override {
    const Arg& arg = element;
    if constexpr (wire::short_argument<Arg>)
      submit_in_run(arg);
    else
      submit_encoded(arg);
  }

  void poll(result_buffer<result>& results) override {
    close_run();
    if (!unsent_.empty())
      for (auto& [index, error] : std::exchange(unsent_, {}))
        results.on_done(index, outcome<result>::failed(std::move(error)), 0);
    receiver receives(results);
    pool_.pump(receives);
  }

  void wait(const base::deadline& limit) override {
    close_run();
    if (unsent_.empty()) pool_.wait(interrupted_, limit);
    interrupted_.store(false, std::memory_order_relaxed);
  }

  void interrupt() override {
    interrupted_.store(true, std::memory_order_relaxed);
    pool_.wake();
  }

  std::size_t n_running() const override { return pool_.n_running(); }
  void end() override {
    close_run();
    pool_.abandon_map();
  }

  void flush() override {
    close_run();
    pool_.flush();
  }

 private:
  /// 0: they are none.
  static constexpr std::size_t bytes_of_plain_result() {
    if constexpr (wire::plain_bytes<result>) {
      static_assert(sizeof(result) <= process::most_plain_bytes);
      return sizeof(result);
    } else {
      return 0;
    }
  }

  /// One short argument is a copy and two numbers; the pool hears of many together.
  void submit_in_run(const Arg& arg) {
    if (run_.n_left == 0) run_ = pool_.open_run();
    std::memcpy(run_.next, std::addressof(arg), sizeof(Arg));
    run_.next += sizeof(Arg);
    ++n_in_run_;
    if (--run_.n_left == 0) close_run();
  }

  void close_run() {
    run_ = {};
    if (n_in_run_ > 0) pool_.close_run(std::exchange(n_in_run_, 0));
  }

  void submit_encoded(const Arg& arg) {
    const std::size_t index = next_index_++;
    try {
      pool_.submit([&](wire::writer& out) { wire::argument_codec<Arg>::encode(arg, out); });
    } catch (...) {
      unsent_.emplace_back(index,
                           wire::error_of_task(std::current_exception(), index, -1, task_stage::encode_argument));
    }
  }

  /// Makes outcomes of what the pool takes in.
  class receiver final : public process::answer_sink {
   public:
    explicit receiver(result_buffer<result>& results) : results_(results) {}

    void on_result(std::uint64_t index, int worker, const wire::message& message) override {
      bool is_decoded = false;
      std::exception_ptr error;
      try {
        auto value = decode(message.bytes);
        is_decoded = true;
        message.require_intact();
        return results_.on_value(index, std::move(value), message.bytes.size());
      } catch (...) {
        if (is_decoded) throw;
        error = wire::error_of_task(std::current_exception(), index, worker, task_stage::decode_result);
      }
      message.require_intact();
      results_.on_done(index, outcome<result>::failed(std::move(error)), message.bytes.size());
    }
    void on_plain_results(std::uint64_t first, std::size_t n, const std::byte* results) override {
      if constexpr (bytes_of_plain_result() != 0) {
        results_.on_values(first, n, sizeof(result),
                           [&](std::size_t i) { return value_of(results + i * sizeof(result)); });
      }
    }
    void on_error(std::uint64_t index, std::exception_ptr what) override {
      results_.on_done(index, outcome<result>::failed(std::move(what)), 0);
    }
    bool has_enough() const override { return results_.has_enough(); }
    bool takes_in_order() const override { return results_.takes_in_order(); }

   private:
    result_buffer<result>& results_;
  };

  /// A result need not have a default constructor.
  static result_value<result> value_of(const std::byte* bytes) {
    struct alignas(result_value<result>) raw {
      std::byte bytes[sizeof(result_value<result>)];
    } copy;
    std::memcpy(copy.bytes, bytes, sizeof copy.bytes);
    return std::bit_cast<result_value<result>>(copy);
  }

  static result_value<result> decode(std::span<const std::byte> encoded) {
    wire::reader in(encoded);
    if constexpr (std::is_void_v<result>) {
      in.expect_end();
      return std::monostate{};
    } else {
      auto value = wire::decode<result>(in);
      in.expect_end();
      return value;
    }
  }

  process::pool& pool_;
  process::argument_run run_{};
  std::size_t n_in_run_ = 0; ///< arguments that are written and not submitted
  std::size_t next_index_;
  std::vector<std::pair<std::size_t, std::exception_ptr>> unsent_;
  std::atomic<bool> interrupted_{false};
};

} // namespace lk::parallel::backends
