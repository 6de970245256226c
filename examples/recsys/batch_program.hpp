// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <lk/parallel/errors.hpp>

#include <recsys/bad_rows.hpp>
#include <recsys/batch_job.hpp>
#include <recsys/batch_options.hpp>

// The outermost frame of a batch program: every way to end as a sentence on stderr and an exit code.

namespace recsys {

inline constexpr int exit_failed = 1, exit_not_usable = 2, exit_interrupted = 130;

/// Logs go to stderr, since stdout is for the summary, and a full disk or a closed pipe is an error that is told.
/// A standard stream that is closed is nowhere, and not the next file that is opened.
inline void prepare_process(const std::string& name) {
  int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  while (nowhere >= 0 && nowhere <= STDERR_FILENO) nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::close(nowhere);
  for (const int signal : {SIGPIPE, SIGXFSZ}) ::signal(signal, SIG_IGN);
  spdlog::set_default_logger(spdlog::stderr_color_mt(name));
}

/// Throws: std::runtime_error where what was printed could not be.
inline void finish_stdout() {
  errno = 0;
  if (!std::cout.flush())
    throw std::runtime_error(std::string("standard output cannot be written: ") +
                             (errno != 0 ? std::strerror(errno) : "output error"));
}

/// Runs body and hands back the exit code.
template <class Body> int run_and_report(const command_line& command, Body&& body) {
  const auto complain = [&](int exit_code, const std::string& what) {
    std::cerr << command.name() << ": " << what << std::endl;
    return exit_code;
  };
  const auto keep_going = [&](const std::string& what) {
    return complain(exit_interrupted, what + "; to go on: " + command.to_go_on());
  };
  try {
    body();
    finish_stdout();
    return 0;
  } catch (const interrupted& e) {
    return keep_going(e.what());
  } catch (const lk::parallel::cancelled&) {
    return keep_going("interrupted before the first task of this run");
  } catch (const lk::parallel::journal_error& e) {
    return complain(exit_not_usable, e.what());
  } catch (const lk::parallel::config_error& e) {
    return complain(exit_not_usable, e.what());
  } catch (const input_error& e) {
    return complain(exit_not_usable, e.what());
  } catch (const std::invalid_argument& e) {
    return complain(exit_not_usable, e.what());
  } catch (const std::bad_alloc&) {
    return complain(exit_failed, "out of memory");
  } catch (const std::exception& e) {
    return complain(exit_failed, e.what());
  }
}

} // namespace recsys
