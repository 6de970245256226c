// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/process/exit_status.hpp>
#include <lk/parallel/process/hygiene.hpp>
#include <lk/parallel/process/loss.hpp>

// The living workers as their parent, the zygote, knows them: their pids, how to stop and end them, and what is to be
// learnt from their deaths. Knows nothing of tasks and of the host.

namespace lk::parallel::process {

class roster {
 public:
  /// `count_oom_kills`: how often the kernel has killed a process here because memory ran out; may be empty.
  roster(int n_workers, std::function<std::uint64_t()> count_oom_kills)
      : members_(static_cast<std::size_t>(n_workers))
      , count_oom_kills_(std::move(count_oom_kills)) {
    has_killed_for_memory();
  }

  void add(int worker, pid_t pid) { members_[static_cast<std::size_t>(worker)] = {pid, false}; }
  /// Whether it lives and nobody has ended it.
  bool has(int worker) const {
    return pid_of(worker) != 0 && !members_[static_cast<std::size_t>(worker)].is_ended_by_us;
  }
  bool empty() const {
    return std::none_of(members_.begin(), members_.end(), [](const member& one) { return one.pid != 0; });
  }

  void end(int worker) {
    member& one = members_[static_cast<std::size_t>(worker)];
    if (one.pid == 0) return;
    one.is_ended_by_us = true;
    ::kill(one.pid, SIGKILL);
  }
  void end_all() {
    for (std::size_t worker = 0; worker < members_.size(); ++worker) end(static_cast<int>(worker));
  }

  /// Makes the worker stand still. False where it has ended. Blocks: until it does; where the kernel holds it inside a
  /// system call, no longer than is decent.
  bool hold(int worker) const {
    constexpr auto decent = std::chrono::milliseconds(100);
    ::kill(pid_of(worker), SIGSTOP);
    for (const auto limit = base::deadline::after(decent); !limit.passed(); ::poll(nullptr, 0, 1)) {
      siginfo_t state{};
      ::waitid(P_PID, static_cast<id_t>(pid_of(worker)), &state, WSTOPPED | WEXITED | WNOHANG | WNOWAIT);
      if (state.si_pid != 0) return state.si_code == CLD_STOPPED;
    }
    return true;
  }
  void let_go_on(int worker) const { ::kill(pid_of(worker), SIGCONT); }

  /// Calls ended(worker, pid, worker_end) for each worker that has ended, and ends what their tasks had started: the
  /// zygote is a subreaper and has become its parent.
  template <class Ended> void reap(Ended&& ended) {
    int status = 0;
    rusage usage{};
    for (pid_t pid = 0; (pid = ::wait4(-1, &status, WNOHANG, &usage)) > 0;) {
      remove_openmp_registration(pid);
      const auto found = std::find_if(members_.begin(), members_.end(), [&](const member& m) { return m.pid == pid; });
      if (found == members_.end()) continue; // an orphan of a worker
      const member was = std::exchange(*found, {});
      const auto how = exit_status::of_wait(status);
      const bool is_unexplained = how == exit_status::killed(SIGKILL) && !was.is_ended_by_us;
      const worker_end end{.how = how,
                           .out_of_memory = is_unexplained && has_killed_for_memory(),
                           .peak_rss_bytes = static_cast<std::size_t>(usage.ru_maxrss) * 1024};
      ended(static_cast<int>(found - members_.begin()), pid, end);
    }
    end_orphans();
  }

  static bool has_children() { return !children().empty(); }

 private:
  struct member {
    pid_t pid = 0; ///< 0: none
    bool is_ended_by_us = false;
  };

  pid_t pid_of(int worker) const { return members_[static_cast<std::size_t>(worker)].pid; }

  /// Whether it has since the last call.
  bool has_killed_for_memory() {
    if (!count_oom_kills_) return false;
    const std::uint64_t now = count_oom_kills_();
    return std::exchange(oom_kills_, now) < now;
  }

  static std::string children() { return base::read_small_file("/proc/thread-self/children").value_or(""); }

  void end_orphans() const {
    std::istringstream list(children());
    for (pid_t pid = 0; list >> pid;)
      if (std::none_of(members_.begin(), members_.end(), [&](const member& m) { return m.pid == pid; }))
        ::kill(pid, SIGKILL);
  }

  std::vector<member> members_; ///< by worker number
  std::function<std::uint64_t()> count_oom_kills_;
  std::uint64_t oom_kills_ = 0;
};

} // namespace lk::parallel::process
