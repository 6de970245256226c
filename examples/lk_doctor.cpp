// lk-parallel | SPDX-License-Identifier: MIT

#include <dlfcn.h>

#include <algorithm>
#include <exception>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <lk/parallel.hpp>

#include <doctor/as_json.hpp>
#include <doctor/measure.hpp>

// Tells how lk-parallel sees this machine and this environment: start it where and as the job would be started.

namespace {

constexpr int exit_warned = 1, exit_not_usable = 2;

struct settings {
  bool json = false;
  bool strict = false;
  bool measure = false;
  std::vector<std::string> libraries;
};

void add_options(CLI::App& app, settings& to) {
  app.add_flag("--json", to.json, "Print one JSON object");
  app.add_flag("--strict", to.strict, "End with status 1 where there are warnings");
  app.add_flag("--measure", to.measure, "Fork workers and count the threads they really get");
  app.add_option("--load", to.libraries, "Load this library first, for instance the BLAS of the job; repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
}

/// False where the library cannot be loaded; then it has said why.
bool load(const std::string& library) {
  if (::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr) return true;
  std::cerr << "lk-doctor: --load: " << ::dlerror() << '\n';
  return false;
}

void print(const doctor::measurement& seen) {
  const auto threads = [](const char* whose, int n) {
    std::cout << "  " << whose << " threads in a worker     ";
    if (n > 0) {
      std::cout << n << '\n';
    } else {
      std::cout << "not loaded\n";
    }
  };
  std::cout << "\nMeasured\n  first result of a new invoker  " << std::fixed << std::setprecision(1)
            << seen.first_result_ms << " ms\n";
  threads("oneTBB", seen.threads.tbb);
  threads("OpenMP", seen.threads.openmp);
  threads("BLAS  ", seen.threads.blas);
}

doctor::json as_json(const doctor::measurement& seen) {
  return {{"first_result_ms", seen.first_result_ms},
          {"tbb_threads", seen.threads.tbb},
          {"openmp_threads", seen.threads.openmp},
          {"blas_threads", seen.threads.blas}};
}

int examine(const settings& asked) {
  const lk::parallel::diagnosis all = lk::parallel::diagnose();
  if (asked.json) {
    doctor::json object = doctor::as_json(all);
    if (asked.measure) object["measured"] = as_json(doctor::measure());
    std::cout << object.dump(2, ' ', false, doctor::json::error_handler_t::replace) << '\n';
  } else {
    std::cout << all << std::flush; // before anything is measured that may fail
    if (asked.measure) print(doctor::measure());
  }
  const bool warned =
      std::ranges::any_of(all.findings, [](const auto& each) { return each.level == lk::parallel::severity::warning; });
  return asked.strict && warned ? exit_warned : 0;
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"Tells how lk-parallel sees this machine: knobs, CPUs, thread pools, threads, and what makes forking "
               "hard. Start it where and as the job would be started."};
  app.name("lk-doctor");
  settings asked;
  add_options(app, asked);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : exit_not_usable;
  }
  spdlog::set_default_logger(spdlog::stderr_color_mt("lk-doctor")); // standard output is for the diagnosis
  if (!std::ranges::all_of(asked.libraries, load)) return exit_not_usable;
  try {
    return examine(asked);
  } catch (const std::exception& problem) {
    std::cerr << "lk-doctor: " << problem.what() << '\n';
    return exit_not_usable;
  }
}
