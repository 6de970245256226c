// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include <lk/parallel.hpp>

#include <support/leak_guard.hpp>

#include "faults/fault.hpp"
#include "faults/victim.hpp"

// The victim: runs one fault by name and looks whether it left anything behind. The driver (driver.cpp) runs it.

using namespace lk::parallel;

namespace {

constexpr const char* help = R"(fault_victim --fault NAME [--seed N]   runs one fault; status 0 where its promise holds
fault_victim --list                    all faults: name, signal that ends the victim (0: none), promise
fault_victim --list-all                also the ones that must fail, for the tests of the driver
  --seed N     for faults with randomness
  --signs FD   descriptor of the driver's table of signs of life
)";

/// Those fail or hang on purpose: the driver is tested with them.
bool tests_the_driver(const faults::fault& fault) { return fault.name.rfind("self-", 0) == 0; }

/// Those are about the first call of initialize().
bool initialises_itself(const faults::fault& fault) { return fault.name.rfind("N5", 0) == 0; }

void list(bool all) {
  for (const faults::fault& fault : faults::all_faults())
    if (all || !tests_the_driver(fault))
      std::printf("%s\t%d\t%s\n", fault.name.c_str(), fault.ends_by, fault.promise.c_str());
}

int run(const faults::run_settings& settings) {
  const auto& all = faults::all_faults();
  const auto chosen =
      std::find_if(all.begin(), all.end(), [&](const faults::fault& fault) { return fault.name == settings.fault; });
  if (chosen == all.end()) {
    std::fprintf(stderr, "fault_victim: no fault is named \"%s\"; see --list\n", settings.fault.c_str());
    return 2;
  }
  if (!initialises_itself(*chosen)) initialize();
  faults::prepare(settings);
  const testing::leak_guard guard;
  faults::run(*chosen);
  const std::string left_behind = guard.difference();
  faults::expect(left_behind.empty(), "the fault leaves nothing behind: " + left_behind);
  faults::expect(chosen->ends_by == 0, "the victim dies by the signal that the fault declares");
  return 0;
}

} // namespace

int main(int n_words, char** words) {
  faults::run_settings settings;
  for (int i = 1; i < n_words; ++i) {
    const std::string option = words[i];
    if (option == "--help") return std::fputs(help, stdout), 0;
    if (option == "--list" || option == "--list-all") return list(option == "--list-all"), 0;
    const char* const value = ++i < n_words ? words[i] : nullptr;
    if (value && option == "--fault") {
      settings.fault = value;
    } else if (value && option == "--seed") {
      settings.seed = std::strtoull(value, nullptr, 10);
    } else if (value && option == "--signs") {
      settings.signs_fd = std::atoi(value);
    } else {
      std::fprintf(stderr, "fault_victim: \"%s\" is not understood\n%s", option.c_str(), help);
      return 2;
    }
  }
  if (settings.fault.empty()) return std::fputs(help, stderr), 2;
  return run(settings);
}
