// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <execinfo.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <lk/parallel/process/exit_status.hpp>
#include <lk/parallel/shm/channel.hpp>
#include <lk/parallel/wire/failure.hpp>

// What a crashed worker wrote down about its stack, as words for the log. The host is the same program at the same
// addresses, so it can name them; code that only the worker had loaded stays a number. Cold code.

namespace lk::parallel::process {

/// One line of backtrace_symbols(3), "file(mangled+0x1f) [0x...]", with its function demangled.
inline std::string readable_frame(std::string_view line) {
  const auto open = line.find('('), plus = line.find('+', open), close = line.find(')', open);
  if (open == line.npos || plus == line.npos || close == line.npos || plus > close || plus == open + 1)
    return std::string(line);
  const std::string mangled(line.substr(open + 1, plus - open - 1));
  return std::string(line.substr(0, open + 1)) + wire::demangle(mangled.c_str()) + std::string(line.substr(plus));
}

/// A sentence and the stack, one line for each frame; empty where the worker wrote nothing down.
[[gnu::cold]] inline std::string crash_text(int worker, std::optional<std::uint64_t> task,
                                            const shm::crash_record& record) {
  const auto signal = record.signal.load(std::memory_order_relaxed);
  const auto n = std::min(record.n_frames.load(std::memory_order_acquire), shm::crash_record::most_frames);
  if (signal == 0 || signal > 64 || n == 0) return "";
  void* frames[shm::crash_record::most_frames];
  for (std::uint32_t i = 0; i < n; ++i)
    frames[i] = reinterpret_cast<void*>(static_cast<std::uintptr_t>(record.frames[i].load(std::memory_order_relaxed)));
  std::string text = "worker " + std::to_string(worker) + (task ? ", at task " + std::to_string(*task) + "," : "") +
                     " " + exit_status::killed(static_cast<int>(signal)).sentence();
  if (const auto address = record.address.load(std::memory_order_relaxed)) {
    char hex[32];
    std::snprintf(hex, sizeof hex, " at address 0x%llx", static_cast<unsigned long long>(address));
    text += hex;
  }
  text += "; its stack, innermost call first:";
  const std::unique_ptr<char*, void (*)(void*)> lines(::backtrace_symbols(frames, static_cast<int>(n)), std::free);
  if (!lines) return text + " (no memory for it)";
  for (std::uint32_t i = 0, next = 0; i < n; i = next) {
    for (next = i + 1; next < n && frames[next] == frames[i];) ++next; // a recursion, gone too deep perhaps
    text += "\n  #" + std::to_string(i) + ' ' + readable_frame(lines.get()[i]) +
            (next > i + 1 ? ", " + std::to_string(next - i) + " times" : "");
  }
  if (text.find("(+0x") != text.npos)
    text += "\n  (for names here link the program with -rdynamic; or ask addr2line -Cfie FILE +0x...)";
  return text;
}

} // namespace lk::parallel::process
