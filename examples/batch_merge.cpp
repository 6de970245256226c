// lk-parallel | SPDX-License-Identifier: MIT

#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <lk/parallel/stop_on_signals.hpp>

#include <recsys/batch_options.hpp>
#include <recsys/batch_program.hpp>
#include <recsys/merge_shards.hpp>

// Makes one file of what the shards of a batch job have written, after a look at whether all of it is there.

int main(int argc, char** argv) {
  std::vector<std::string> shards;
  recsys::batch_options asked;
  CLI::App app(
      "Makes one output of the outputs of all shards of a job, byte for byte what the job writes in one piece.",
      "batch_merge");
  recsys::prepare_help(app);
  app.add_option("shards", shards, "All FILE.shard-I-of-N, in any order, each with its manifest beside it")
      ->required()
      ->type_name("FILE")
      ->default_str("");
  app.add_option("-o,--out", asked.out, "The output; there under its name when it is complete, with FILE.manifest.json")
      ->required()
      ->type_name("FILE");
  app.add_flag("--fresh", asked.fresh, "Start over, whatever there is of this output");
  recsys::add_checkpoint_option(app, asked);
  app.footer(recsys::exit_code_text);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : recsys::exit_not_usable;
  }
  recsys::prepare_process("batch_merge");
  const recsys::command_line command("batch_merge", argc, argv);
  return recsys::run_and_report(command, [&] {
    const bool had_to = recsys::merge_shards(shards, asked, command, lk::parallel::stop_on_signals());
    std::cout << asked.out
              << (had_to ? ": " + std::to_string(shards.size()) + " shards\n"
                         : std::string(" is complete; to make it again: --fresh\n"));
  });
}
