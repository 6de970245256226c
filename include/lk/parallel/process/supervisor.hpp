// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/fault_point.hpp>
#include <lk/parallel/base/spin.hpp>
#include <lk/parallel/process/answers.hpp>
#include <lk/parallel/process/crash_report.hpp>
#include <lk/parallel/process/dispatcher.hpp>
#include <lk/parallel/process/host_sleep.hpp>
#include <lk/parallel/process/loss.hpp>
#include <lk/parallel/process/orphans.hpp>
#include <lk/parallel/process/pool.hpp>
#include <lk/parallel/process/zygote.hpp>
#include <lk/parallel/report/library_log.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/frame.hpp>

// The host's side of a pool of worker processes: takes in answers, notices deaths, decides who is to blame, has the
// others' tasks sent again. Has no thread of its own: everything happens inside pump() and wait(), which the result
// range calls. Deals in bytes; the types are the business of the layer above.

namespace lk::parallel::process {

/// Threads: one at a time. Fork: in a forked child of the host, only the destructor may be called; it does nothing.
class supervisor final : public pool {
 public:
  /// Blocks: until the zygote is ready. Throws: resource_error.
  explicit supervisor(pool_spec spec)
      : spec_(std::move(spec))
      , memory_(spec_.n_workers, spec_.task_ring_bytes, spec_.result_ring_bytes)
      , zygote_(std::make_unique<zygote>(spec_, memory_, bell_))
      , dispatcher_(memory_) {
    memory_.hide_from_later_children();
    request_missing_workers();
  }

  ~supervisor() override {
    if (::getpid() == owner_) {
      shut_down();
    } else {
      if (zygote_) zygote_->forget();
      memory_.forget();
    }
  }
  supervisor(const supervisor&) = delete;
  supervisor& operator=(const supervisor&) = delete;

  int n_workers() const { return spec_.n_workers; }
  const dispatcher& tasks() const { return dispatcher_; }
  std::uint64_t workers_started() const { return workers_started_; }
  std::chrono::nanoseconds fork_time() const { return fork_time_; } ///< of the fork that this process had to make

  void begin_map(const map_spec& map) override {
    require_zygote();
    dispatcher_.begin_map(map);
    result_bytes_ = map.result_bytes;
    deaths_in_a_row_ = 0;
    request_missing_workers();
  }

  void expect(std::uint64_t n_tasks) override { dispatcher_.expect(n_tasks); }

  void abandon_map() override {
    dispatcher_.abandon_map();
    const auto& slots = dispatcher_.slots();
    const bool any_left = std::any_of(slots.begin(), slots.end(), [](const auto& slot) { return slot.has_tasks(); });
    if (zygote_ && any_left) zygote_->send(order_kind::end_abandoned, -1);
  }

  bool has_room() override { return zygote_ && dispatcher_.has_room(); }
  wire::writer& begin_task() override { return dispatcher_.begin_task(); }
  void end_task() override { dispatcher_.end_task(); }
  void drop_task() noexcept override { dispatcher_.drop_task(); }
  argument_run open_run() override { return dispatcher_.open_run(); }
  void close_run(std::size_t n) override { dispatcher_.close_run(n); }
  void flush() override {
    dispatcher_.publish();
    dispatcher_.note_look();
  }
  std::size_t n_running() const override { return dispatcher_.n_running(); }

  void pump(answer_sink& sink) override {
    require_zygote();
    dispatcher_.publish();
    hear_news(sink);
    const bool all = std::exchange(take_all_, false) || !sink.takes_in_order();
    const worker_slot* const oldest = dispatcher_.oldest();
    const auto is_enough = [&] { return sink.has_enough(); };
    if (oldest) drain(oldest->number(), sink, is_enough);
    if (all) {
      for (int worker = 0; worker < n_workers(); ++worker)
        if (&dispatcher_.slot(worker) != oldest) drain(worker, sink, is_enough);
    } else {
      for (const worker_slot* const slot : dispatcher_.with_tasks())
        if (slot != oldest && slot->is_pressing()) drain(slot->number(), sink, is_enough);
    }
    dispatcher_.send_parked();
    dispatcher_.publish();
  }

  /// The zygote's death ends the wait, too.
  void wait(const std::atomic<bool>& interrupted, const base::deadline& limit) override {
    dispatcher_.publish();
    const auto is_interrupted = [&] { return interrupted.load(std::memory_order_relaxed) || has_news(); };
    const auto something_pressing = [&] { return is_interrupted() || something_is_pressing(); };
    dispatcher_.note_wait();
    if (base::spin_until(something_pressing)) return;
    if (dispatcher_.call_sleepers()) return; // the host does not sleep before they have what they can take
    for (worker_slot& slot : dispatcher_.slots()) slot.ask_for_word();
    const auto anything = [&] { return is_interrupted() || something_arrived(); };
    const auto until_told = [&](const base::deadline& at_last) { return sleep_until_told(at_last); };
    take_all_ = sleep_.sleep(limit, something_pressing, anything, until_told);
  }

  void wake() override { bell_.ring(); }

  /// Ends all workers and the zygote. Blocks: for the grace of running tasks, then as long as the kernel needs.
  void shut_down() noexcept {
    if (!zygote_) return;
    for (worker_slot& slot : dispatcher_.slots()) {
      slot.channel().host->stop.store(1, std::memory_order_relaxed);
      slot.channel().host->bell.ring();
    }
    const pid_t zygote = zygote_->pid();
    const auto how = zygote_->stop(base::deadline::after(counts_coverage() ? longest_stop * 15 : longest_stop));
    if (how != exit_status::exited(exit_done)) reap_orphans(zygote); // it has not seen its workers out
    const auto replay_only = [&](int worker) {
      worker_slot& slot = dispatcher_.slot(worker);
      answers_.take_last_words(slot);
      slot.clear();
    };
    zygote_.reset();
    for (int worker = 0; worker < n_workers(); ++worker) replay_only(worker);
  }

 private:
  static constexpr auto longest_stop = std::chrono::seconds(2);

  void require_zygote() const {
    if (!zygote_) throw_zygote_lost(std::nullopt);
  }

  /// A few at a time, so that the host's orders never have to wait for room on the socket.
  void request_missing_workers() {
    constexpr int most_requests = 16;
    for (int worker = 0; worker < n_workers() && n_forking_ < most_requests; ++worker) {
      worker_slot& slot = dispatcher_.slot(worker);
      if (slot.state != slot_state::vacant) continue;
      slot.state = slot_state::forking;
      zygote_->send(order_kind::fork_worker, worker);
      ++n_forking_;
      ++workers_started_;
    }
  }

  bool has_news() const { return memory_.page().news_sent.load(std::memory_order_acquire) != news_heard_; }

  bool something_arrived() const {
    const auto& slots = dispatcher_.slots();
    return std::any_of(slots.begin(), slots.end(), [](const worker_slot& slot) { return slot.has_arrivals(); });
  }

  /// Of what has arrived, what pump() would take in though it need not take all.
  bool something_is_pressing() {
    const worker_slot* const oldest = dispatcher_.oldest();
    const auto& slots = dispatcher_.with_tasks();
    return (oldest && oldest->has_arrivals()) ||
           std::any_of(slots.begin(), slots.end(), [](const worker_slot* slot) { return slot->is_pressing(); });
  }

  /// Whether somebody told; false at the limit.
  bool sleep_until_told(const base::deadline& limit) {
    pollfd watched[] = {{bell_.fd(), POLLIN, 0}, {zygote_->control_fd(), POLLIN, 0}, {zygote_->pidfd(), POLLIN, 0}};
    LK_PARALLEL_FAULT_POINT("host_waits");
    const int n_told = ::poll(watched, 3, limit.poll_timeout());
    if (n_told < 0) return true; // EINTR: the caller looks around and comes back
    if (watched[0].revents != 0) bell_.silence();
    if (watched[1].revents != 0 || watched[2].revents != 0) look_at_socket_ = true;
    if (watched[2].revents != 0) zygote_ended_ = true;
    return n_told > 0;
  }

  // --- answers

  template <class Enough> void drain(int worker, answer_sink& sink, Enough&& is_enough) {
    worker_slot& slot = dispatcher_.slot(worker);
    if (slot.broke_protocol) return;
    try {
      slot.tasks().learn_consumed();
      const auto take = [&](const wire::message& message) { answers_.take(slot, worker, message, sink); };
      while (!is_enough() && (take_plain(slot, sink) || slot.next_message(take))) {
      }
    } catch (const wire_error&) {
      slot.broke_protocol = true; // judged when its death is reported
      zygote_->send(order_kind::kill_worker, worker);
    }
    slot.free_results();
    slot.learn_depth();
  }

  /// The short way for results of a few bytes.
  bool take_plain(worker_slot& slot, answer_sink& sink) {
    return result_bytes_ != 0 && answers_.take_results(slot, result_bytes_, sink);
  }

  // --- deaths

  void hear_news(answer_sink& sink) {
    // acquire: pairs with the release in zygote_life::tell.
    if (!has_news() && !look_at_socket_) return;
    look_at_socket_ = false;
    while (true) {
      const auto [received, state] = zygote_->try_receive();
      // Somebody else may hold a copy of the zygote's end of the socket, so its end alone does not tell.
      if (state == control_socket::state::closed || (zygote_ended_ && !received)) lose_zygote();
      if (!received) break;
      ++news_heard_;
      hear(*received, sink);
    }
    request_missing_workers();
  }

  void hear(const news& message, answer_sink& sink) {
    if (message.worker < 0 || message.worker >= n_workers()) return;
    worker_slot& slot = dispatcher_.slot(message.worker);
    if (message.kind == news_kind::forked) {
      --n_forking_;
      slot.state = slot_state::running;
      slot.pid = message.pid;
    } else if (message.kind == news_kind::fork_failed) {
      --n_forking_;
      slot.state = slot_state::vacant;
      throw resource_error("fork of a worker process", message.value, base::remedy_for_processes);
    } else if (message.kind == news_kind::ended) {
      const auto how = message.killed ? exit_status::killed(message.value) : exit_status::exited(message.value);
      bury(message.worker, {how, message.out_of_memory != 0, message.peak_rss, message.overdue}, sink);
    }
  }

  /// Drain first, judge then: what a dead worker had finished is delivered, the task it had started is to blame, and
  /// the others go to other workers with no attempt counted.
  void bury(int worker, const worker_end& end, answer_sink& sink) {
    std::exception_ptr sink_threw;
    try {
      drain(worker, sink, [] { return false; });
    } catch (...) {
      sink_threw = std::current_exception(); // the dead must be buried all the same
    }
    const testimony told = question(worker);
    auto unanswered = dispatcher_.slot(worker).clear();
    const bool is_overdue = !unanswered.empty() && end.overdue == unanswered.front().ticket + 1;
    const bool to_blame = !unanswered.empty() && (told.broke_protocol || is_overdue || told.had_started);
    if (to_blame && ++unanswered.front().attempt > 1 + spec_.retries) {
      const parked_task culprit = std::move(unanswered.front());
      unanswered.pop_front();
      if (dispatcher_.is_wanted(culprit.ticket)) {
        const std::uint64_t index = dispatcher_.index_of(culprit.ticket);
        sink.on_error(index, is_overdue ? std::make_exception_ptr(task_timeout(index, spec_.task_timeout))
                                        : task_lost(index, worker, end, told.broke_protocol, culprit.attempt - 1,
                                                    told.last_log_lines));
      }
    }
    dispatcher_.take_back(std::move(unanswered));
    if (sink_threw) std::rethrow_exception(sink_threw);
    if (const auto failure = answers_.take_init_failure()) std::rethrow_exception(failure);
    count_death(to_blame, end);
  }

  /// What a dead worker's memory says, once everything it had answered is taken in.
  struct testimony {
    bool had_started = false; ///< its oldest unanswered task
    bool broke_protocol = false;
    std::string last_log_lines;
  };

  /// Logs the stack of a worker that crashed.
  testimony question(int worker) {
    worker_slot& slot = dispatcher_.slot(worker);
    testimony told{.broke_protocol = slot.broke_protocol, .last_log_lines = slot.log().joined()};
    try {
      told.had_started = slot.had_started();
    } catch (const wire_error&) {
      told.broke_protocol = true;
    }
    std::optional<std::uint64_t> task;
    if (told.had_started && dispatcher_.is_wanted(slot.outstanding().ticket()))
      task = dispatcher_.index_of(slot.outstanding().ticket());
    const std::string crash = crash_text(worker, task, slot.channel().status->crash);
    if (!crash.empty()) report::report_error(crash);
    return told;
  }

  /// A death in a task is that task's matter and bounded by its attempts; the others are limited here.
  void count_death(bool task_to_blame, const worker_end& end) {
    const bool got_on =
        task_to_blame || std::exchange(answers_at_last_death_, answers_.n_taken()) != answers_.n_taken();
    deaths_in_a_row_ = got_on ? 0 : deaths_in_a_row_ + 1;
    if (deaths_in_a_row_ > std::max(3, n_workers())) throw_crash_loop(deaths_in_a_row_, end);
  }

  [[noreturn]] void lose_zygote() {
    const pid_t zygote = zygote_->pid();
    const auto how = zygote_->end_now();
    zygote_.reset();
    reap_orphans(zygote);
    for (worker_slot& slot : dispatcher_.slots()) slot.clear();
    dispatcher_.abandon_map();
    throw_zygote_lost(how);
  }

  const pid_t owner_ = ::getpid();
  pool_spec spec_;
  shm::pool_memory memory_;
  shm::event_bell bell_;
  std::unique_ptr<zygote> zygote_;
  const std::chrono::nanoseconds fork_time_ = zygote_->fork_time();
  dispatcher dispatcher_;
  answers answers_{dispatcher_};
  std::size_t result_bytes_ = 0; ///< of the results of the map in progress, where they are plain
  std::uint64_t workers_started_ = 0;
  host_sleep sleep_{memory_.page()};
  std::uint32_t news_heard_ = 1; ///< the hello was heard by the zygote's constructor
  bool look_at_socket_ = false;
  bool take_all_ = false; ///< at the next pump()
  bool zygote_ended_ = false;
  int n_forking_ = 0;       ///< workers asked for and not heard of
  int deaths_in_a_row_ = 0; ///< that no task is to blame for, with no task answered between them
  std::uint64_t answers_at_last_death_ = 0;
};

} // namespace lk::parallel::process
