// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <lk/parallel/base/unique_fd.hpp>
#include <support/in_child.hpp>

#include "faults/fault.hpp"
#include "faults/pool.hpp"

// What the faults about the host program share: things a host does beside using the library.

namespace lk::parallel::faults {

/// The task that most faults run.
inline std::string usual(std::int64_t x, task_context&) { return answer(x); }

/// A disposition for the life of the object.
class disposition {
 public:
  disposition(int signal, void (*handler)(int), int flags = 0) : signal_(signal) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    ::sigemptyset(&action.sa_mask);
    expect(::sigaction(signal, &action, &before_) == 0, "a disposition can be set");
  }
  ~disposition() { ::sigaction(signal_, &before_, nullptr); }
  disposition(const disposition&) = delete;
  disposition& operator=(const disposition&) = delete;

 private:
  int signal_;
  struct sigaction before_ {};
};

/// Threads of the host that do something all the time, for the life of the object.
class busy_host {
 public:
  busy_host(std::initializer_list<std::function<void()>> things) {
    for (const auto& thing : things) {
      threads_.emplace_back([this, thing] {
        thing();
        ++n_started_;
        while (!over_) thing();
      });
    }
    wait_until([this] { return n_started_ == threads_.size(); }, "every thread has done its thing once");
  }
  ~busy_host() {
    over_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  busy_host(const busy_host&) = delete;
  busy_host& operator=(const busy_host&) = delete;

 private:
  std::atomic<bool> over_{false};
  std::atomic<std::size_t> n_started_{0};
  std::vector<std::thread> threads_;
};

/// Which processes came, of at most eight.
class roll_call {
 public:
  void answer() {
    const int self = ::getpid();
    for (std::atomic<int>& place : *places_) {
      int found = 0;
      if (place.compare_exchange_strong(found, self) || found == self) return;
    }
  }
  int n_came() const {
    int n = 0;
    for (const std::atomic<int>& place : *places_) n += place != 0 ? 1 : 0;
    return n;
  }

 private:
  shared<std::array<std::atomic<int>, 8>> places_;
};

struct pipe_pair {
  pipe_pair() {
    int ends[2];
    expect(::pipe2(ends, O_CLOEXEC) == 0, "a pipe can be made");
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }
  base::unique_fd reading, writing;
};

/// Everything until the end of the pipe. Blocks: until then.
inline std::string whole_text(int fd) {
  std::string text;
  char piece[4096];
  for (ssize_t n = 0; (n = base::retry_eintr([&] { return ::read(fd, piece, sizeof piece); })) > 0;)
    text.append(piece, static_cast<std::size_t>(n));
  return text;
}

/// Where the knobs are not those of a usual victim, a fault runs itself again in a fresh process: true there, with the
/// variable in its environment; false in the first process, which expects that the other one left with status 0.
inline bool in_fresh_process(const char* fault, const char* variable, const char* value) {
  constexpr const char* mark = "LK_PARALLEL_FAULT_INSIDE";
  if (std::getenv(mark) != nullptr) return true;
  const testing::child_result result = testing::in_child([&] {
    ::setenv(mark, "1", 1);
    ::setenv(variable, value, 1);
    ::execl("/proc/self/exe", "fault_victim", "--fault", fault, nullptr);
    return 127;
  });
  expect(result == testing::exited(0), std::string("it holds with ") + variable + '=' + value);
  return false;
}

/// Says why a fault is not run here. It then passes.
inline void skipped(const std::string& why) {
  std::printf("skipped: %s\n", why.c_str());
  std::fflush(stdout);
}

} // namespace lk::parallel::faults
