// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <map>
#include <sstream>
#include <string>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/posix.hpp>
#include <support/procfs.hpp>

// Holds promise 3: what a process owned before a piece of work, it owns after it, no more and no less. Make a guard,
// do the work, then REQUIRE(guard.difference() == ""). Make it after initialize(): the owner thread of the training
// arena belongs to that.

namespace lk::parallel::testing {

/// What this process owns, by name, so that a leak can be told in words.
struct process_inventory {
  using named = std::map<std::string, std::string>;
  named descriptors;     ///< number -> what it is open on
  named threads;         ///< thread id -> name
  named children;        ///< pid -> name and state, zombies included, of whichever thread
  named shared_mappings; ///< address range -> what is mapped shared there
  named shared_memory;   ///< entries of /dev/shm
  named signals;         ///< number -> disposition, flags and whether this thread blocks it

  static process_inventory take();
};

namespace leak_guard_parts {

inline process_inventory::named shared_mappings() {
  process_inventory::named found;
  std::istringstream lines(base::read_small_file("/proc/self/maps").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string range, permissions;
    words >> range >> permissions;
    if (permissions.size() == 4 && permissions[3] == 's') found[range] = line.substr(range.size() + 1);
  }
  return found;
}

inline process_inventory::named signals() {
  process_inventory::named found;
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0) continue; // the two that glibc keeps for itself
    std::ostringstream text;
    constexpr int restorer = 0x04000000; // SA_RESTORER: glibc adds it to whatever is set through it
    text << "handler " << reinterpret_cast<const void*>(action.sa_handler) << ", flags "
         << (action.sa_flags & ~restorer) << (::sigismember(&blocked, signal) == 1 ? ", blocked" : "");
    found[std::to_string(signal)] = text.str();
  }
  return found;
}

inline void compare(std::string& out, const char* what, const process_inventory::named& before,
                    const process_inventory::named& after) {
  for (const auto& [name, text] : after) {
    if (!before.count(name)) out += std::string(what) + ' ' + name + " (" + text + ") is new; ";
  }
  for (const auto& [name, text] : before) {
    const auto found = after.find(name);
    if (found == after.end()) {
      out += std::string(what) + ' ' + name + " (" + text + ") is gone; ";
    } else if (found->second != text) {
      out += std::string(what) + ' ' + name + " was (" + text + ") and is (" + found->second + "); ";
    }
  }
}

} // namespace leak_guard_parts

inline process_inventory process_inventory::take() {
  process_inventory now;
  for (const std::string& fd : names_in("/proc/self/fd")) now.descriptors[fd] = link_target("/proc/self/fd/" + fd);
  for (const std::string& id : names_in("/proc/self/task")) {
    std::string name = base::read_small_file("/proc/self/task/" + id + "/comm").value_or("?\n");
    now.threads[id] = name.substr(0, name.find('\n'));
  }
  for (const process_state& process : all_processes()) {
    if (process.parent == ::getpid()) {
      now.children[std::to_string(process.pid)] = process.name + (process.state == 'Z' ? ", zombie" : "");
    }
  }
  now.shared_mappings = leak_guard_parts::shared_mappings();
  for (const std::string& name : names_of_shared_memory()) now.shared_memory["/dev/shm/" + name] = "file";
  now.signals = leak_guard_parts::signals();
  return now;
}

class leak_guard {
 public:
  leak_guard() : before_(process_inventory::take()) {}

  /// Empty when all is as it was when the guard was made, else a sentence for each thing that is not.
  /// Blocks: until then, at most `patience`, since a joined thread can linger in procfs for a moment.
  std::string difference(std::chrono::milliseconds patience = std::chrono::seconds{1}) const {
    const auto limit = base::deadline::after(patience);
    while (true) {
      const std::string text = difference_now();
      if (text.empty() || limit.passed()) return text;
      ::poll(nullptr, 0, 5);
    }
  }

 private:
  std::string difference_now() const {
    using leak_guard_parts::compare;
    const process_inventory after = process_inventory::take();
    std::string text;
    compare(text, "descriptor", before_.descriptors, after.descriptors);
    compare(text, "thread", before_.threads, after.threads);
    compare(text, "child", before_.children, after.children);
    compare(text, "shared mapping", before_.shared_mappings, after.shared_mappings);
    compare(text, "shared memory", before_.shared_memory, after.shared_memory);
    compare(text, "signal", before_.signals, after.signals);
    return text;
  }

  process_inventory before_;
};

} // namespace lk::parallel::testing
