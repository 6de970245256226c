// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>

#include <lk/parallel/base/posix.hpp>

// The line between host and zygote: small fixed messages that arrive whole, in order, and end with an EOF when either
// side dies. Orders go down, news comes up.

namespace lk::parallel::process {

enum class order_kind : std::int32_t {
  fork_worker = 1,
  kill_worker,
  end_abandoned, ///< of any worker: see to it that tasks of abandoned maps end
  stop,
};
struct order {
  order_kind kind;
  std::int32_t worker;
};

enum class news_kind : std::int32_t { hello = 1, launch_failed, forked, fork_failed, ended };
struct news {
  news_kind kind{};
  std::int32_t worker = 0;
  std::int32_t pid = 0;
  std::int32_t value = 0;         ///< launch_failed, fork_failed: errno; ended: signal number or exit status
  std::int32_t killed = 0;        ///< ended: 1 for a signal
  std::int32_t out_of_memory = 0; ///< ended: 1 where the kernel has killed something because memory ran out
  std::uint64_t peak_rss = 0;     ///< ended: bytes
  char call[16] = {};             ///< launch_failed: the system call
  std::uint64_t overdue = 0;      ///< ended: ticket + 1 of the task that outran its limit, 0: none
};

/// One end. Threads: one at a time.
class control_socket {
 public:
  control_socket() = default;
  explicit control_socket(base::unique_fd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }

  /// Never raises SIGPIPE. False where the other side is gone or does not read.
  template <class Message> bool send(const Message& message) const noexcept {
    return base::retry_eintr([&] { return ::send(fd_.get(), &message, sizeof message, MSG_NOSIGNAL); }) ==
           static_cast<ssize_t>(sizeof message);
  }

  /// As send, but false where it would have to wait.
  template <class Message> bool try_send(const Message& message) const noexcept {
    return base::retry_eintr([&] {
             return ::send(fd_.get(), &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
           }) == static_cast<ssize_t>(sizeof message);
  }

  enum class state { open, closed };

  /// Takes one message if there is one. Does not wait.
  template <class Message> std::pair<std::optional<Message>, state> try_receive() const noexcept {
    Message message;
    const auto n = base::retry_eintr([&] { return ::recv(fd_.get(), &message, sizeof message, MSG_DONTWAIT); });
    if (n == static_cast<ssize_t>(sizeof message)) return {message, state::open};
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {std::nullopt, state::open};
    return {std::nullopt, state::closed};
  }

 private:
  base::unique_fd fd_;
};

/// Throws: resource_error.
inline std::pair<control_socket, control_socket> make_control_sockets() {
  int ends[2];
  base::check("socketpair", base::remedy_for_descriptors,
              [&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends); });
  base::unique_fd host_end(ends[0]), zygote_end(ends[1]);
  return {control_socket(base::above_stdio(std::move(host_end))),
          control_socket(base::above_stdio(std::move(zygote_end)))};
}

} // namespace lk::parallel::process
