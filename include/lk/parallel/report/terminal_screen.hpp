// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <lk/parallel/report/bar_line.hpp>
#include <lk/parallel/report/console_sinks.hpp>
#include <lk/parallel/report/progress_state.hpp>
#include <lk/parallel/report/terminal.hpp>

// The lower end of a terminal: all bars of the process as one block, below whatever is logged. Between two drawings the
// cursor stands at the beginning of the block's first row, so that one sequence wipes the block however the terminal
// has folded it since. Bars hand in snapshots; the screen knows no Progress.

namespace lk::parallel::report {

/// Threads: safe; the lock is spdlog's console lock, since log lines draw the block too. It is the innermost lock: a
/// Progress calls with its own held, and nothing here calls back. Fork: a child inherits no bar; its first own bar
/// makes the screen its own.
class terminal_screen {
 public:
  /// Lifetime: fd is the caller's and stays open.
  terminal_screen(int fd, bar_style style) : fd_(fd), style_(style), sinks_(fd, [this] { return block(); }) {}
  terminal_screen(const terminal_screen&) = delete;
  terminal_screen& operator=(const terminal_screen&) = delete;
  ~terminal_screen() {
    if (::getpid() != owner_) return;
    const console_lock lock = lock_console();
    sinks_.unwrap();
  }

  /// Draws the bar of `whose` in its row, a new one below the others where it has none yet.
  void draw(const void* whose, const progress_snapshot& now) {
    sinks_.wrap();
    const console_lock lock = lock_console();
    adopt();
    const auto known = find(whose);
    if (known == rows_.end())
      rows_.push_back({whose, now});
    else
      known->now = now;
    const terminal_size size = size_of_terminal(fd_);
    std::string text = size == drawn_at_ ? "\r" : std::string(wipe_below); // a resized terminal may have folded rows
    render(size);
    write_quietly(fd_, text + block_);
  }

  /// Takes the bar out of the block; its last line stays above.
  void finish(const void* whose, const progress_snapshot& now) {
    const console_lock lock = lock_console();
    adopt();
    const terminal_size size = size_of_terminal(fd_);
    std::string text(wipe_below);
    text += line_of(now, size) + "\r\n";
    erase(whose);
    render(size);
    write_quietly(fd_, text + block_);
  }

  /// Takes a bar away that could not finish. Does nothing where it has.
  void remove(const void* whose) noexcept {
    if (::getpid() != owner_) return; // before the lock: a copied lock may be held for ever
    const console_lock lock = lock_console();
    if (find(whose) == rows_.end()) return;
    erase(whose);
    drawn_at_ = {0, 0};
    write_quietly(fd_, wipe_below);
  }

 private:
  struct row {
    const void* whose;
    progress_snapshot now;
  };

  std::vector<row>::iterator find(const void* whose) {
    return std::find_if(rows_.begin(), rows_.end(), [&](const row& each) { return each.whose == whose; });
  }

  void erase(const void* whose) {
    std::erase_if(rows_, [&](const row& each) { return each.whose == whose; });
    if (rows_.empty()) sinks_.unwrap();
  }

  /// In a child that draws a bar of its own, the bars of its parent are not there.
  void adopt() {
    if (owner_.exchange(::getpid()) != ::getpid()) rows_.clear();
  }

  /// One column stays free, so that no terminal wraps the line.
  std::string line_of(const progress_snapshot& now, const terminal_size& size) const {
    return bar_line(now, size.columns - 1, style_);
  }

  /// What a log line draws below itself.
  std::string_view block() {
    if (::getpid() != owner_ || rows_.empty()) return {};
    if (const terminal_size size = size_of_terminal(fd_); size != drawn_at_) render(size);
    return block_;
  }

  /// The rows that fit, the oldest first, each erased to its end (EL), what is below erased (ED), and the cursor back
  /// at the first (CUU).
  void render(const terminal_size& size) {
    drawn_at_ = size;
    const std::size_t n = std::min(rows_.size(), std::max<std::size_t>(size.rows, 2) - 1);
    block_.clear();
    for (std::size_t i = 0; i < n; ++i) block_ += (i > 0 ? "\x1b[K\r\n" : "") + line_of(rows_[i].now, size);
    block_ += "\x1b[J\r";
    if (n > 1) block_ += "\x1b[" + std::to_string(n - 1) + "A";
  }

  const int fd_;
  const bar_style style_;
  std::atomic<pid_t> owner_{::getpid()};
  // Guarded by the console lock:
  std::vector<row> rows_;
  std::string block_;
  terminal_size drawn_at_{0, 0};
  console_sinks sinks_;
};

} // namespace lk::parallel::report
