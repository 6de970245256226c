// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <spdlog/version.h>

#include <lk/parallel/report/terminal.hpp>

// How log lines and bars share a terminal. While there are bars, the formatter of each console sink of spdlog that
// writes there is wrapped: a line wipes the bars, and draws them again below itself, in the one buffer that the sink
// writes under spdlog's console lock. The sinks stay in their loggers: exchanging those is not safe while others log.
//
// Reached are the sinks stdout_sink_mt, stderr_sink_mt and their colour forms in registered loggers, also asynchronous
// ones. Not reached: the _st forms, which take no lock, and sinks inside other sinks.

namespace lk::parallel::report {

/// spdlog's console lock: every console sink holds it while it formats and writes, and so does whoever draws here.
using console_lock = std::unique_lock<spdlog::details::console_mutex::mutex_t>;
inline console_lock lock_console() { return console_lock(spdlog::details::console_mutex::mutex()); }

using formatter_ptr = std::unique_ptr<spdlog::formatter>;
using colour_sink = spdlog::sinks::ansicolor_sink<spdlog::details::console_mutex>;
using plain_sink = spdlog::sinks::stdout_sink_base<spdlog::details::console_mutex>;

// A sink takes a formatter and never hands one out, so the wrapping needs its member `formatter_`. An explicit
// instantiation may name a private member ([temp.spec.general]/6), and the friend it defines is the way there. The
// versions are those whose sinks were read; under another one log lines may tear the bars, and nothing else changes.
#if SPDLOG_VERSION >= 10900 && SPDLOG_VERSION < 11600
formatter_ptr& formatter_of(colour_sink&);
formatter_ptr& formatter_of(plain_sink&);
template <class Sink, formatter_ptr Sink::*Member> struct formatter_access {
  friend formatter_ptr& formatter_of(Sink& sink) { return sink.*Member; }
};
template struct formatter_access<colour_sink, &colour_sink::formatter_>;
template struct formatter_access<plain_sink, &plain_sink::formatter_>;

/// Where a sink of that class keeps its formatter, if it is one and its stream is this terminal; else null.
template <class Sink> formatter_ptr* formatter_if(spdlog::sinks::sink& sink, int stream, int terminal) {
  auto* const found = dynamic_cast<Sink*>(&sink);
  return found != nullptr && is_same_terminal(stream, terminal) ? &formatter_of(*found) : nullptr;
}

/// Where a console sink that writes to this terminal keeps its formatter, else null.
inline formatter_ptr* formatter_on_terminal(spdlog::sinks::sink& sink, int terminal) {
  using namespace spdlog::sinks;
  if (auto* const at = formatter_if<ansicolor_stdout_sink_mt>(sink, STDOUT_FILENO, terminal)) return at;
  if (auto* const at = formatter_if<ansicolor_stderr_sink_mt>(sink, STDERR_FILENO, terminal)) return at;
  if (auto* const at = formatter_if<stdout_sink_mt>(sink, STDOUT_FILENO, terminal)) return at;
  return formatter_if<stderr_sink_mt>(sink, STDERR_FILENO, terminal);
}
#else
inline formatter_ptr* formatter_on_terminal(spdlog::sinks::sink&, int) { return nullptr; }
#endif

/// ECMA-48: to the line's beginning, then ED, erase from there to the end of the screen.
inline constexpr std::string_view wipe_below = "\r\x1b[J";

/// What stands below the log now; empty: nothing, or another process' terminal. Called with the console lock held; the
/// text is valid until it is let go.
using block_source = std::function<std::string_view()>;

/// Wraps a sink's formatter: the line, and below it the block again.
class block_formatter final : public spdlog::formatter {
 public:
  block_formatter(formatter_ptr inner, const block_source& below) : inner_(std::move(inner)), below_(below) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
    const std::string_view block = below_();
    if (block.empty()) return inner_->format(message, line);
    line.append(wipe_below.data(), wipe_below.data() + wipe_below.size());
    inner_->format(message, line); // spdlog's formatters take the colour's range relative to the start of the buffer
    if (line.data()[line.size() - 1] != '\n') line.push_back('\n');
    line.append(block.data(), block.data() + block.size());
  }
  formatter_ptr clone() const override { return inner_->clone(); }
  formatter_ptr unwrap() { return std::move(inner_); }

 private:
  formatter_ptr inner_;
  const block_source& below_;
};

/// The console sinks of one terminal, wrapped and unwrapped. Threads: safe where each member says how.
class console_sinks {
 public:
  /// Lifetime: unwrap() comes before the end of this object.
  console_sinks(int terminal, block_source below) : terminal_(terminal), below_(std::move(below)) {}
  console_sinks(const console_sinks&) = delete;
  console_sinks& operator=(const console_sinks&) = delete;

  /// Wraps what is not wrapped, also where the user has set a new pattern since.
  /// Blocks: takes the lock of spdlog's registry, then, in it, the console lock, as spdlog does; the caller holds
  /// neither.
  void wrap() {
    spdlog::apply_all([this](const std::shared_ptr<spdlog::logger>& logger) {
      for (const spdlog::sink_ptr& sink : logger->sinks()) wrap(sink);
    });
  }

  /// Gives each sink its own formatter back. The caller holds the console lock.
  void unwrap() noexcept {
    for (const auto& known : std::exchange(wrapped_, {})) {
      const spdlog::sink_ptr sink = known.lock();
      formatter_ptr* const at = sink ? formatter_on_terminal(*sink, terminal_) : nullptr;
      if (auto* const ours = at ? dynamic_cast<block_formatter*>(at->get()) : nullptr) *at = ours->unwrap();
    }
  }

 private:
  void wrap(const spdlog::sink_ptr& sink) {
    formatter_ptr* const at = formatter_on_terminal(*sink, terminal_);
    if (at == nullptr) return;
    const console_lock lock = lock_console();
    if (*at == nullptr || dynamic_cast<block_formatter*>(at->get()) != nullptr) return;
    wrapped_.push_back(sink);
    *at = std::make_unique<block_formatter>(std::move(*at), below_);
  }

  int terminal_;
  block_source below_;
  std::vector<std::weak_ptr<spdlog::sinks::sink>> wrapped_; // guarded by the console lock
};

} // namespace lk::parallel::report
