// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <lk/parallel/journal.hpp>

#include <recsys/batch_job.hpp>
#include <recsys/batch_options.hpp>
#include <recsys/manifest.hpp>
#include <recsys/settings.hpp>
#include <recsys/shard.hpp>

// Makes one output of the outputs of all shards: the bytes that the job would have written in one piece.

namespace recsys {

/// A shard is missing, incomplete, changed, or of another job; what() says which. Nothing is written then.
class merge_error : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

struct shard_output {
  std::string path;
  json manifest;
  shard part;
  task_block tasks;
  std::size_t n_tasks = 0, rows = 0;
  std::string header;
  lk::parallel::file_fingerprint content;
  lk::parallel::journal_identity job; ///< what the output depends on, the shard itself left out
};

namespace reading {

/// Throws: json::exception, merge_error.
inline shard_output shard_from(const std::string& path, const json& said) {
  const auto require = [&](bool holds, const char* fault) {
    if (!holds) throw merge_error(path + ".manifest.json " + fault);
  };
  require(said.at("format") == manifest_format, "has another format");
  shard_output found;
  found.path = path;
  found.manifest = said;
  const auto part = parse_shard(said.at("shard").at("index").dump() + "/" + said.at("shard").at("of").dump());
  require(part.has_value(), "tells of no shard");
  found.part = *part;
  found.tasks = {said.at("tasks").at("begin"), said.at("tasks").at("end")};
  found.n_tasks = said.at("tasks").at("of");
  require(found.tasks == block_of(found.part, found.n_tasks), "tells of other tasks than the shard has");
  const json& output = said.at("output");
  found.header = output.at("header");
  found.rows = output.at("rows");
  found.content.bytes = output.at("bytes");
  const std::string sum = output.at("crc64");
  const auto [end, problem] = std::from_chars(sum.data(), sum.data() + sum.size(), found.content.crc64, 16);
  require(problem == std::errc{} && end == sum.data() + sum.size(), "has no checksum");
  require(found.header.size() <= found.content.bytes, "tells of an output without its header");
  static_cast<void>(said.at("time")); // merged_manifest hands it on
  for (const auto& [name, value] : said.at("job").items())
    if (name != "shard") found.job.emplace_back(name, value.get<std::string>());
  return found;
}

} // namespace reading

/// From its manifest; the file itself is not read. Throws: merge_error.
inline shard_output describe_shard(const std::string& path) {
  std::ifstream file(path + ".manifest.json");
  if (!file) throw merge_error(path + " is not complete: it has no manifest; let its job come to its end first");
  if (!std::filesystem::is_regular_file(path)) throw merge_error(path + " is not a file, but it has a manifest");
  try {
    return reading::shard_from(path, json::parse(file));
  } catch (const json::exception& e) {
    throw merge_error(path + ".manifest.json is not a manifest: " + e.what());
  }
}

/// Puts the shards of one job in order. Throws: merge_error.
inline void check_shards(std::vector<shard_output>& shards) {
  std::sort(shards.begin(), shards.end(),
            [](const shard_output& a, const shard_output& b) { return a.part.index < b.part.index; });
  const shard_output& first = shards.at(0);
  for (const shard_output& one : shards) {
    const lk::parallel::journal_identity &known = first.job, &found = one.job;
    const auto [was, is] = std::mismatch(known.begin(), known.end(), found.begin(), found.end());
    if (was != known.end() || is != found.end())
      throw merge_error(
          one.path + " is of another job than " + first.path + ": " +
          (was != known.end() ? was->first + " was \"" + was->second + "\" there" : "it has more settings"));
    if (one.part.of != first.part.of || one.n_tasks != first.n_tasks || one.header != first.header)
      throw merge_error(one.path + " is cut in another way than " + first.path);
  }
  std::size_t expected = 1, n_missing = 0;
  std::string missing;
  const auto miss_up_to = [&](std::size_t next) {
    for (; expected < next; ++expected)
      if (++n_missing <= 20) missing.append(" ").append(std::to_string(expected));
  };
  for (const shard_output& one : shards) {
    if (one.part.index < expected) throw merge_error(one.path + " is there twice");
    miss_up_to(one.part.index);
    ++expected;
  }
  miss_up_to(first.part.of + 1);
  if (n_missing > 0)
    throw merge_error("of " + std::to_string(first.part.of) + " shards are missing:" + missing +
                      (n_missing > 20 ? " and " + std::to_string(n_missing - 20) + " more" : ""));
}

/// Throws: merge_error where the file is not what its manifest says.
inline void check_content(const shard_output& one) {
  if (lk::parallel::fingerprint(one.path) != one.content)
    throw merge_error(one.path + " has been changed since it was complete; start its job again with --fresh");
}

/// Ctrl-C. Throws: interrupted.
inline void heed(const std::stop_token& stop, lk::parallel::journal& out) {
  if (!stop.stop_requested()) return;
  out.flush();
  throw interrupted("interrupted, " + std::to_string(out.content().bytes) + " bytes are kept");
}

/// Appends the bytes of the file from `from` on. Throws: interrupted, merge_error.
inline void append_file(lk::parallel::journal& out, const std::string& path, std::uint64_t from,
                        const std::stop_token& stop) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(from));
  std::string piece(1 << 20, '\0');
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0) {
    heed(stop, out);
    out.append(std::string_view(piece).substr(0, static_cast<std::size_t>(file.gcount())));
  }
  if (file.bad()) throw merge_error(path + " cannot be read");
}

inline json merged_manifest(const std::vector<shard_output>& shards, const lk::parallel::journal& out,
                            const command_line& command) {
  json made = shards[0].manifest;
  for (const char* of_one_run : {"knobs", "time", "command"}) made.erase(of_one_run);
  made["job"].erase("shard");
  made["shard"] = {{"index", 1}, {"of", 1}};
  made["tasks"] = {{"begin", 0}, {"end", shards[0].n_tasks}, {"of", shards[0].n_tasks}};
  made["output"]["file"] = out.target().filename().string();
  made["output"].update(to_json(out.content()));
  std::size_t rows = 0;
  made["merged"] = json::array();
  for (const shard_output& one : shards) {
    rows += one.rows;
    made["merged"].push_back(one.manifest.at("output"));
    made["merged"].back()["time"] = one.manifest.at("time");
  }
  made["output"]["rows"] = rows;
  made["command"] = command.words();
  made["time"] = {{"finished", utc_text(std::time(nullptr))}};
  return made;
}

/// Appends what is not there yet. Throws: interrupted, merge_error.
inline void append_shards(lk::parallel::journal& out, const std::vector<shard_output>& shards,
                          const std::stop_token& stop) {
  std::uint64_t passed = 0; // bytes of the output that the shards up to here make
  for (const shard_output& one : shards) {
    const std::uint64_t skipped = one.part.index == 1 ? 0 : one.header.size();
    const std::uint64_t there = out.content().bytes - passed; // of this shard, from a start before
    const std::uint64_t length = one.content.bytes - skipped;
    if (there < length) append_file(out, one.path, skipped + there, stop);
    passed += length;
  }
  if (out.content().bytes != passed)
    throw merge_error("a shard was changed while it was read; start again with --fresh");
}

/// Throws: merge_error where the output or a file beside it is one that is read.
inline void keep_apart(const std::string& out, const std::vector<shard_output>& shards) {
  for (const shard_output& one : shards)
    for (const char* read : {"", ".manifest.json"})
      for (const char* written : {"", ".part", ".journal", ".manifest.json"})
        if (same_file(out + written, one.path + read))
          throw merge_error("--out would replace " + one.path + read + "; name another output");
}

/// Hands back whether there was something to do. Throws: interrupted, merge_error; as lk::parallel::journal.
inline bool merge_shards(const std::vector<std::string>& paths, const batch_options& asked, const command_line& command,
                         const std::stop_token& stop) {
  std::vector<shard_output> shards;
  for (const std::string& path : paths) shards.push_back(describe_shard(path));
  check_shards(shards);
  keep_apart(asked.out, shards);
  lk::parallel::journal_identity identity = shards[0].job;
  identity.emplace_back("merged from", std::to_string(shards.size()) + " shards"); // its records are no tasks
  lk::parallel::journal out(asked.out, identity,
                            {.fresh = asked.fresh, .checkpoint_interval = asked.checkpoint_interval()});
  if (out.is_complete()) return false;
  check_manifest_of(out.target());
  for (const shard_output& one : shards) {
    heed(stop, out);
    check_content(one);
  }
  append_shards(out, shards, stop);
  heed(stop, out);
  out.commit(manifest_text(merged_manifest(shards, out, command)));
  return true;
}

} // namespace recsys
