// lk-parallel | SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/in_child.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lk/parallel/process/fork.hpp>
#include <lk/parallel/process/hygiene.hpp>

using namespace lk::parallel;
using lk::parallel::testing::exited;
using lk::parallel::testing::in_child;

namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

sighandler_t disposition(int signal) {
  struct sigaction action {};
  ::sigaction(signal, nullptr, &action);
  return action.sa_handler;
}

} // namespace

TEST_CASE("a child ignores the signals that are meant for its host and keeps those that tell of a fault") {
  REQUIRE(in_child([] {
            ::signal(SIGUSR1, [](int) {});
            ::signal(SIGUSR2, SIG_IGN);
            ::signal(SIGSEGV, [](int) {});
            ::signal(SIGALRM, SIG_DFL);
            process::ignore_signals_meant_for_the_host();
            for (const int ignored : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2})
              if (disposition(ignored) != SIG_IGN) return ignored;
            for (const int usual : {SIGSEGV, SIGABRT, SIGCHLD, SIGTSTP, SIGALRM})
              if (disposition(usual) != SIG_DFL) return usual;
            return 0;
          }) == exited(0));
}

TEST_CASE("a child closes the conversations of its host and keeps its files") {
  REQUIRE(in_child([] {
            int pipe_ends[2], sockets[2];
            if (::pipe(pipe_ends) != 0 || ::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) return 1;
            const int event = ::eventfd(0, 0), epoll = ::epoll_create1(0), kept = ::eventfd(0, 0);
            const int file = ::open("/proc/self/exe", O_RDONLY), device = ::open("/dev/null", O_RDONLY);
            const int keep[] = {kept};
            process::close_conversations(keep);
            for (const int closed : {pipe_ends[0], pipe_ends[1], sockets[0], sockets[1], event, epoll})
              if (is_open(closed)) return 2;
            for (const int open : {0, 1, 2, kept, file, device})
              if (!is_open(open)) return 3;
            return 0;
          }) == exited(0));
}

TEST_CASE("a child reads nothing from the standard input of its host") {
  REQUIRE(in_child([] {
            process::read_nothing_from_stdin();
            char byte = 0;
            return ::read(0, &byte, 1) == 0 ? 0 : 1;
          }) == exited(0));
}

TEST_CASE("exit and quick_exit of user code run none of the host's handlers") {
  const auto child = [](void (*leave)(int)) {
    return in_child([leave] {
      std::atexit([] { ::_exit(55); });
      ::at_quick_exit([] { ::_exit(56); });
      process::leave_only_by_underscore_exit();
      leave(0);
      return 57;
    });
  };
  REQUIRE(child(&std::exit) == exited(0));
  REQUIRE(child(&std::quick_exit) == exited(0));
}

TEST_CASE("a child offers itself to the out-of-memory killer before its host") {
  REQUIRE(in_child([] {
            const int before = std::atoi(base::read_small_file("/proc/self/oom_score_adj").value_or("0").c_str());
            process::offer_to_oom_killer();
            const int after = std::atoi(base::read_small_file("/proc/self/oom_score_adj").value_or("0").c_str());
            return after == std::min(1000, before + 200) ? 0 : 1;
          }) == exited(0));
}

TEST_CASE("a child refuses to write core dumps") {
  REQUIRE(in_child([] {
            process::refuse_core_dumps();
            rlimit now{};
            ::getrlimit(RLIMIT_CORE, &now);
            return now.rlim_cur == 0 ? 0 : 1;
          }) == exited(0));
}
