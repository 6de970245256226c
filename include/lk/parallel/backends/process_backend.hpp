// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <lk/parallel/backends/backend.hpp>
#include <lk/parallel/backends/task_context.hpp>
#include <lk/parallel/backends/work.hpp>
#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/process/result_sender.hpp>
#include <lk/parallel/process/supervisor.hpp>
#include <lk/parallel/process/worker_spec.hpp>
#include <lk/parallel/report/progress_relay.hpp>
#include <lk/parallel/wire/argument_codec.hpp>
#include <lk/parallel/wire/codec.hpp>
#include <lk/parallel/wire/failure.hpp>
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
  report::progress_relay::flush();
  task.stage = task_stage::encode_result;
  wire::writer& out = task.sender->begin();
  if constexpr (!std::is_void_v<result>) wire::encode(value, out);
}

/// One map on a pool of worker processes. Lifetime: the supervisor outlives it.
template <class Work, class Arg> class process_backend {
 public:
  using result = function_result_t<typename Work::function_type, typename Work::model_type, Arg>;

  /// Throws: worker_lost where the pool has died.
  process_backend(process::supervisor& pool, std::uint64_t seed) : pool_(pool) {
    pool_.begin_map(&run_in_worker<Work, Arg>, seed, wire::short_argument<Arg> ? sizeof(Arg) : 0);
  }

  bool has_room() { return pool_.has_room(); }

  void submit(const Arg& arg) {
    if constexpr (wire::short_argument<Arg>)
      pool_.submit_plain(arg);
    else
      submit_encoded(arg);
  }

  template <class Sink> void poll(Sink& sink) {
    if (!unsent_.empty())
      for (auto& [index, error] : std::exchange(unsent_, {}))
        sink.on_done(index, outcome<result>::failed(std::move(error)), 0);
    receiver<Sink> receives(sink);
    pool_.pump(receives);
  }

  void wait(const base::deadline& limit) {
    if (unsent_.empty()) pool_.wait(interrupted_, limit);
    interrupted_.store(false, std::memory_order_relaxed);
  }

  void interrupt() {
    interrupted_.store(true, std::memory_order_relaxed);
    pool_.bell().ring();
  }

  std::size_t n_running() const { return pool_.tasks().n_running(); }
  void end() { pool_.abandon_map(); }

  void flush() { pool_.flush(); }

 private:
  void submit_encoded(const Arg& arg) {
    const std::size_t index = next_index_++;
    try {
      pool_.submit([&](wire::writer& out) { wire::argument_codec<Arg>::encode(arg, out); });
    } catch (...) {
      const auto thrown = wire::describe(std::current_exception());
      unsent_.emplace_back(index, error_of_task(thrown, index, -1, task_stage::encode_argument));
    }
  }

  /// Tells the pool that results are values of a T and nothing else.
  template <class T> struct takes_flat_results { using flat_result = T; };
  struct takes_messages {};

  /// Makes outcomes of what the pool takes in. Knows the type of its sink, so that nothing on the way is virtual.
  template <class Sink>
  class receiver final
      : public process::answer_sink,
        public std::conditional_t<wire::plain_bytes<result>, takes_flat_results<result>, takes_messages> {
   public:
    explicit receiver(Sink& sink) : sink_(sink) {}

    [[gnu::always_inline]] void on_result(std::uint64_t index, int worker, const wire::message& message) override {
      bool is_decoded = false;
      std::exception_ptr error;
      try {
        auto value = decode(message.bytes);
        is_decoded = true;
        message.require_intact();
        return sink_.on_value(index, std::move(value), message.bytes.size());
      } catch (...) {
        if (is_decoded) throw;
        error = error_of_task(std::current_exception(), index, worker, task_stage::decode_result);
      }
      message.require_intact();
      sink_.on_done(index, outcome<result>::failed(std::move(error)), message.bytes.size());
    }
    template <class Value> [[gnu::always_inline]] void on_flat_result(std::uint64_t index, const Value& value) {
      sink_.on_value(index, result_value<result>(value), sizeof value);
    }
    void on_failure(std::uint64_t index, int worker, task_stage stage, const wire::failure& what) override {
      sink_.on_done(index, outcome<result>::failed(error_of_task(what, index, worker, stage)), 0);
    }
    void on_loss(std::uint64_t index, std::exception_ptr what) override {
      sink_.on_done(index, outcome<result>::failed(std::move(what)), 0);
    }
    bool has_enough() const override { return sink_.has_enough(); }
    bool takes_in_order() const override { return sink_.takes_in_order(); }

   private:
    Sink& sink_;
  };

  [[gnu::always_inline]] static result_value<result> decode(std::span<const std::byte> encoded) {
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

  process::supervisor& pool_;
  std::size_t next_index_ = 0;
  std::vector<std::pair<std::size_t, std::exception_ptr>> unsent_;
  std::atomic<bool> interrupted_{false};
};

} // namespace lk::parallel::backends
