// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <iostream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include <lk/parallel/initialize.hpp>
#include <lk/parallel/stop_on_signals.hpp>

#include <recsys/batch_job.hpp>
#include <recsys/batch_program.hpp>
#include <recsys/job_identity.hpp>

// How the batch programs that train a model begin: from the command line to the job. Settings have common
// (settings.hpp) and, found by their type, add_options, check_settings and identity_of.

namespace recsys {

/// The job that was asked for; none where it is complete, which is said. header: the first line of the output.
/// Blocks: while the input files are read. Throws: std::invalid_argument, lk::parallel::config_error; as batch_job.
template <class Settings>
std::unique_ptr<batch_job> begin_job(const Settings& asked, const command_line& command, const std::string& header) {
  check_settings(asked);
  lk::parallel::initialize({.processes = asked.common.jobs});
  auto job = std::make_unique<batch_job>(asked.common.batch, command, identity_of(asked), header);
  if (!job->is_complete()) return job;
  std::cout << job->file() << " is complete; to make it again: --fresh\n";
  return nullptr;
}

/// The main function: run(settings, command line, stop token of Ctrl-C) does the job. about: for --help.
template <class Settings, class Run>
int batch_main(const std::string& name, const std::string& about, int argc, char** argv, Run run) {
  Settings asked;
  CLI::App app(about, name);
  add_options(app, asked);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : exit_not_usable;
  }
  asked.common.model.als.seed = asked.common.seed;
  prepare_process(name);
  const command_line command(name, argc, argv);
  return run_and_report(command, [&] { run(asked, command, lk::parallel::stop_on_signals()); });
}

} // namespace recsys
