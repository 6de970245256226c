// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include <recsys/shard.hpp>

// The options that every batch program has, and its command line as a person would type it again.

namespace recsys {

struct batch_options {
  std::string out; ///< of the whole job; the name of a shard's file follows from it
  bool fresh = false;
  shard part = {};
  double checkpoint_seconds = 1;

  std::string file() const { return shard_file(out, part); }
  std::chrono::milliseconds checkpoint_interval() const {
    return std::chrono::milliseconds(static_cast<long long>(checkpoint_seconds * 1000));
  }
};

inline constexpr const char* exit_code_text =
    "Exit codes: 0 done, 1 failed, 2 options, inputs or output not usable, 130 interrupted (Ctrl-C).\n"
    "A job that was interrupted or killed goes on where it was when the same command is given again.";

/// How options look in the help of every program. Manual pages are made of it, where two blanks end the name of an
/// option: a column as narrow as the longest name has but one.
inline void prepare_help(CLI::App& app) {
  app.option_defaults()->always_capture_default();
  app.get_formatter()->column_width(34);
}

/// For CLI11, in whose ranges NaN lies.
inline std::string is_a_number(const std::string& text) {
  return std::isnan(std::strtod(text.c_str(), nullptr)) ? text + " is not a number" : "";
}

inline void add_checkpoint_option(CLI::App& app, batch_options& to) {
  app.add_option("--checkpoint", to.checkpoint_seconds, "The most work that a kill or a loss of power may cost")
      ->check(CLI::Range(0.0, 86'400.0))
      ->check(is_a_number)
      ->type_name("SECONDS");
}

/// out: what the output is, for the help.
inline void add_batch_options(CLI::App& app, batch_options& to, const std::string& out) {
  app.add_option("--out", to.out, out + "; there under its name when it is complete, with FILE.manifest.json")
      ->type_name("FILE");
  app.add_flag("--fresh", to.fresh, "Start over, whatever there is of this job or of another one with this output");
  app.add_option_function<std::string>(
         "--shard",
         [&to](const std::string& text) {
           const auto part = parse_shard(text);
           if (!part) throw CLI::ValidationError("--shard", text + " is no shard: I/N is expected, with I from 1 to N");
           to.part = *part;
         },
         "Do the I-th of N parts only, into FILE.shard-I-of-N; batch_merge makes one file of them")
      ->type_name("I/N");
  add_checkpoint_option(app, to);
}

class command_line {
 public:
  command_line(std::string name, int argc, const char* const* argv)
      : name_(std::move(name))
      , words_(argv, argv + argc) {}

  /// What it is called in messages.
  const std::string& name() const { return name_; }
  const std::vector<std::string>& words() const { return words_; }

  /// For a shell, to go on with the job: without --fresh, which would start over.
  std::string to_go_on() const {
    std::string text;
    for (const std::string& word : words_)
      if (word != "--fresh") text += (text.empty() ? "" : " ") + for_shell(word);
    return text;
  }

 private:
  static std::string for_shell(const std::string& word) {
    constexpr const char* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:@%+";
    if (!word.empty() && word.find_first_not_of(plain) == word.npos) return word;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
  }

  std::string name_;
  std::vector<std::string> words_;
};

} // namespace recsys
