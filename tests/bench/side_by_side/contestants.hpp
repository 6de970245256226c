// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lk/parallel.hpp>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include "contest.hpp"

// The invoker and what people would write without it: a loop, oneTBB's algorithms, forked processes that talk through
// pipes in hand-made chunks.

namespace side_by_side {

template <class W> contestant<W> serial() {
  return {"serial", [](const auto& model, const auto& arguments, int, auto& results, const auto& passes) {
            passes([&] {
              for (const auto& x : arguments) results.take(W::apply(model, x));
            });
          }};
}

template <class W> contestant<W> invoker(const char* name, lk::parallel::execution where) {
  return {name, [where](const auto& model, const auto& arguments, int n, auto& results, const auto& passes) {
            lk::parallel::invoker workers{
                model,
                [](const typename W::model_type& m, const typename W::argument& x) { return W::apply(m, x); },
                {.n_jobs = n, .where = where}};
            passes([&] {
              for (const auto& result : workers.map(arguments)) results.take(result);
            });
          }};
}

/// Not streamed: the results are there when all are.
template <class W> contestant<W> tbb_for() {
  return {"tbb::parallel_for", [](const auto& model, const auto& arguments, int n, auto& results, const auto& passes) {
            oneapi::tbb::task_arena arena(n);
            passes([&] {
              std::vector<typename W::result> all(arguments.size());
              arena.execute([&] {
                oneapi::tbb::parallel_for(std::size_t{0}, all.size(),
                                          [&](std::size_t i) { all[i] = W::apply(model, arguments[i]); });
              });
              for (const auto& result : all) results.take(result);
            });
          }};
}

template <class W> contestant<W> tbb_pipeline() {
  return {"tbb::parallel_pipeline",
          [](const auto& model, const auto& arguments, int n, auto& results, const auto& passes) {
            using batch = std::vector<typename W::result>;
            oneapi::tbb::task_arena arena(n);
            passes([&] {
              std::size_t next = 0;
              const auto source = [&](oneapi::tbb::flow_control& control) {
                if (next >= arguments.size()) control.stop();
                return std::exchange(next, next + W::batch);
              };
              const auto compute = [&](std::size_t begin) {
                batch done;
                const std::size_t end = std::min(begin + W::batch, arguments.size());
                done.reserve(end - begin);
                for (std::size_t i = begin; i < end; ++i) done.push_back(W::apply(model, arguments[i]));
                return std::make_shared<batch>(std::move(done));
              };
              const auto sink = [&](const std::shared_ptr<batch>& done) {
                for (const auto& result : *done) results.take(result);
              };
              using mode = oneapi::tbb::filter_mode;
              arena.execute([&] {
                oneapi::tbb::parallel_pipeline(
                    static_cast<std::size_t>(4 * n),
                    oneapi::tbb::make_filter<void, std::size_t>(mode::serial_in_order, source) &
                        oneapi::tbb::make_filter<std::size_t, std::shared_ptr<batch>>(mode::parallel, compute) &
                        oneapi::tbb::make_filter<std::shared_ptr<batch>, void>(mode::serial_in_order, sink));
              });
            });
          }};
}

// --- processes and pipes by hand

template <class T> constexpr bool is_plain = std::is_trivially_copyable_v<T>;

template <class T> void append(std::vector<std::byte>& to, const T& value) {
  const auto put = [&](const void* from, std::size_t size) {
    const std::size_t at = to.size();
    to.resize(at + size);
    if (size > 0) std::memcpy(to.data() + at, from, size);
  };
  if constexpr (is_plain<T>) {
    put(&value, sizeof value);
  } else {
    const std::uint64_t n = value.size();
    put(&n, sizeof n);
    put(value.data(), n * sizeof value[0]);
  }
}

template <class T> T extract(const std::byte*& from) {
  const auto get = [&](void* to, std::size_t size) {
    std::memcpy(to, from, size);
    from += size;
  };
  T value{};
  if constexpr (is_plain<T>) {
    get(&value, sizeof value);
  } else {
    std::uint64_t n = 0;
    get(&n, sizeof n);
    value.resize(n);
    get(value.data(), n * sizeof value[0]);
  }
  return value;
}

inline void write_all(int fd, const void* from, std::size_t size) {
  for (const char* at = static_cast<const char*>(from); size > 0;) {
    const ssize_t n = ::write(fd, at, size);
    if (n < 0 && errno != EINTR) ::_exit(1);
    if (n > 0) at += n, size -= static_cast<std::size_t>(n);
  }
}

/// False at the end of the pipe.
inline bool read_all(int fd, void* to, std::size_t size) {
  for (char* at = static_cast<char*>(to); size > 0;) {
    const ssize_t n = ::read(fd, at, size);
    if (n == 0 || (n < 0 && errno != EINTR)) return false;
    if (n > 0) at += n, size -= static_cast<std::size_t>(n);
  }
  return true;
}

inline std::optional<std::vector<std::byte>> read_message(int fd) {
  std::uint64_t size = 0;
  if (!read_all(fd, &size, sizeof size)) return std::nullopt;
  std::vector<std::byte> message(size);
  if (!read_all(fd, message.data(), size)) return std::nullopt;
  return message;
}

inline void write_message(int fd, const std::vector<std::byte>& message) {
  const std::uint64_t size = message.size();
  write_all(fd, &size, sizeof size);
  write_all(fd, message.data(), size);
}

/// Two chunks of arguments are with each worker; the first that answers gets the next.
template <class W> class piped_workers {
 public:
  piped_workers(const typename W::model_type& model, int n) {
    for (int i = 0; i < n; ++i) {
      int tasks[2], answers[2];
      if (::pipe(tasks) != 0 || ::pipe(answers) != 0) ::_exit(1);
      for (const int end : {tasks[1], answers[1]}) ::fcntl(end, F_SETPIPE_SZ, 1 << 20); // a chunk each way fits
      const pid_t pid = ::fork();
      if (pid == 0) {
        for (const worker& other : workers_) ::close(other.tasks), ::close(other.answers);
        ::close(tasks[1]);
        ::close(answers[0]);
        work(model, tasks[0], answers[1]);
      }
      ::close(tasks[0]);
      ::close(answers[1]);
      workers_.push_back({pid, tasks[1], answers[0]});
    }
  }
  ~piped_workers() {
    for (const worker& one : workers_) ::close(one.tasks);
    for (const worker& one : workers_) {
      ::waitpid(one.pid, nullptr, 0);
      ::close(one.answers);
    }
  }
  piped_workers(const piped_workers&) = delete;
  piped_workers& operator=(const piped_workers&) = delete;

  void pass(const std::vector<typename W::argument>& arguments, consumer<W>& results) {
    const std::size_t n_chunks = (arguments.size() + W::batch - 1) / W::batch;
    std::vector<std::optional<std::vector<std::byte>>> done(n_chunks);
    std::size_t next_to_send = 0, next_to_take = 0;
    const auto send = [&](worker& to) {
      if (next_to_send == n_chunks) return;
      std::vector<std::byte> message;
      const std::size_t begin = next_to_send * W::batch, end = std::min(begin + W::batch, arguments.size());
      append(message, static_cast<std::uint64_t>(next_to_send++));
      append(message, static_cast<std::uint64_t>(end - begin));
      for (std::size_t i = begin; i < end; ++i) append(message, arguments[i]);
      write_message(to.tasks, message);
    };
    for (int round = 0; round < 2; ++round)
      for (worker& one : workers_) send(one);
    std::vector<pollfd> watched;
    for (const worker& one : workers_) watched.push_back({one.answers, POLLIN, 0});
    while (next_to_take < n_chunks) {
      ::poll(watched.data(), watched.size(), -1);
      for (std::size_t i = 0; i < workers_.size(); ++i) {
        if (watched[i].revents == 0) continue;
        auto message = read_message(workers_[i].answers);
        if (!message) ::_exit(1);
        const std::byte* at = message->data();
        const auto chunk = extract<std::uint64_t>(at);
        done[chunk] = std::move(message);
        send(workers_[i]);
      }
      for (; next_to_take < n_chunks && done[next_to_take]; ++next_to_take) {
        const std::byte* at = done[next_to_take]->data() + sizeof(std::uint64_t);
        for (auto n = extract<std::uint64_t>(at); n > 0; --n) results.take(extract<typename W::result>(at));
        done[next_to_take].reset();
      }
    }
  }

 private:
  struct worker {
    pid_t pid;
    int tasks, answers;
  };

  [[noreturn]] static void work(const typename W::model_type& model, int tasks, int answers) {
    while (const auto message = read_message(tasks)) {
      const std::byte* at = message->data();
      std::vector<std::byte> answer;
      append(answer, extract<std::uint64_t>(at));
      const auto n = extract<std::uint64_t>(at);
      append(answer, n);
      for (std::uint64_t i = 0; i < n; ++i) append(answer, W::apply(model, extract<typename W::argument>(at)));
      write_message(answers, answer);
    }
    ::_exit(0);
  }

  std::vector<worker> workers_;
};

template <class W> contestant<W> pipes() {
  return {"fork and pipes", [](const auto& model, const auto& arguments, int n, auto& results, const auto& passes) {
            piped_workers<W> workers(model, n);
            passes([&] { workers.pass(arguments, results); });
          }};
}

} // namespace side_by_side
