// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

// How a fault test is written: FAULT("A1", "what is promised") { ... } in one of the victim's files. The victim runs
// one of them by name; the driver runs the victim and sees to what only an outsider can (driver.cpp).

namespace lk::parallel::faults {

struct fault {
  std::string name;    ///< of the case, "A1"; with a suffix where a case has several, "A4-full-ring"
  std::string promise; ///< a sentence
  std::function<void()> run;
  int ends_by = 0; ///< the signal by which the victim is to die; 0: it leaves with status 0
};

/// All faults, in the order of their names.
std::vector<fault>& all_faults();

struct registration {
  registration(const char* name, const char* promise, void (*run)(), int ends_by = 0);
};

/// Ends the victim with status 1 and a line that says where, unless the condition holds.
void expect(bool holds, std::string_view what, std::source_location where = std::source_location::current());

/// For the table of results: how long something took, as "measured: NAME: what: 1.234 ms" on standard output.
void measured(std::string_view what, std::chrono::nanoseconds time);

/// Looks again and again, without sleeping on anything but time; fails the victim at the limit.
void wait_until(const std::function<bool()>& holds, std::string_view what,
                std::chrono::milliseconds limit = std::chrono::seconds(20),
                std::source_location where = std::source_location::current());

/// Calls fn(name) at each fault point of the library, in whichever process reaches one; true takes the action offered.
/// To be set before a pool is made. Replaces the one before; nullptr: none.
void on_fault_point(std::function<bool(std::string_view name)> fn);

/// What `--seed` gave, for faults with randomness: they print the seed that they use as "seed: N".
std::optional<std::uint64_t> wanted_seed();

} // namespace lk::parallel::faults

#define LK_PARALLEL_FAULT_CAT_(a, b) a##b
#define LK_PARALLEL_FAULT_CAT(a, b) LK_PARALLEL_FAULT_CAT_(a, b)
/// FAULT(name, promise) { body } and FAULT_THAT_ENDS(name, signal, promise) { body }.
#define FAULT(name, promise) FAULT_THAT_ENDS(name, 0, promise)
#define FAULT_THAT_ENDS(name, signal, promise)                                                                         \
  static void LK_PARALLEL_FAULT_CAT(fault_body_, __LINE__)();                                                          \
  static const ::lk::parallel::faults::registration LK_PARALLEL_FAULT_CAT(fault_, __LINE__)(                           \
      name, promise, &LK_PARALLEL_FAULT_CAT(fault_body_, __LINE__), signal);                                           \
  static void LK_PARALLEL_FAULT_CAT(fault_body_, __LINE__)()
