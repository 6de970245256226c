// lk-parallel | SPDX-License-Identifier: MIT
#include "faults/fault.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <thread>
#include <utility>

#include <unistd.h>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/fault_point.hpp>

#include "faults/signs_of_life.hpp"
#include "faults/victim.hpp"

namespace lk::parallel::faults {

namespace {

struct run_in_progress {
  std::string name;
  std::optional<std::uint64_t> seed;
  signs_of_life* signs = nullptr;
  std::function<bool(std::string_view)> at_point;
};

run_in_progress& running() {
  static run_in_progress& only = *new run_in_progress;
  return only;
}

bool pass_fault_point(const char* name) noexcept {
  if (running().signs) running().signs->note(::getpid(), name);
  return running().at_point && running().at_point(name);
}

[[noreturn]] void leave_with(const std::string& sentence) {
  std::fflush(nullptr);
  std::fprintf(stderr, "FAILED: %s: %s\n", running().name.c_str(), sentence.c_str());
  std::fflush(nullptr);
  ::_exit(1);
}

std::string place(const std::source_location& where) {
  const std::string path = where.file_name();
  return path.substr(path.rfind('/') + 1) + ':' + std::to_string(where.line());
}

} // namespace

std::vector<fault>& all_faults() {
  static std::vector<fault> all;
  return all;
}

registration::registration(const char* name, const char* promise, void (*run)(), int ends_by) {
  auto& all = all_faults();
  const auto before = std::upper_bound(all.begin(), all.end(), std::string_view(name),
                                       [](std::string_view wanted, const fault& other) { return wanted < other.name; });
  all.insert(before, {name, promise, run, ends_by});
}

void expect(bool holds, std::string_view what, std::source_location where) {
  if (!holds) leave_with(place(where) + ": not so: " + std::string(what));
}

void measured(std::string_view what, std::chrono::nanoseconds time) {
  std::printf("measured: %s: %.*s: %.3f ms\n", running().name.c_str(), static_cast<int>(what.size()), what.data(),
              std::chrono::duration<double, std::milli>(time).count());
  std::fflush(stdout);
}

void wait_until(const std::function<bool()>& holds, std::string_view what, std::chrono::milliseconds limit,
                std::source_location where) {
  const auto end = base::deadline::after(limit);
  while (!holds()) {
    if (end.passed())
      leave_with(place(where) + ": not within " + std::to_string(limit.count()) + " ms: " + std::string(what));
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

void on_fault_point(std::function<bool(std::string_view name)> fn) { running().at_point = std::move(fn); }

std::optional<std::uint64_t> wanted_seed() { return running().seed; }

void prepare(const run_settings& settings) {
  running().name = settings.fault;
  running().seed = settings.seed;
  if (settings.signs_fd >= 0) {
    running().signs = signs_of_life::map(settings.signs_fd);
    ::close(settings.signs_fd);
  }
  base::at_fault_point = &pass_fault_point;
}

void run(const fault& chosen) {
  try {
    chosen.run();
  } catch (const std::exception& thrown) {
    leave_with(std::string("it threw: ") + thrown.what());
  } catch (...) {
    leave_with("it threw something that is no std::exception");
  }
  on_fault_point(nullptr);
}

} // namespace lk::parallel::faults
