// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <lk/parallel/journal.hpp>

#include <recsys/batch_options.hpp>
#include <recsys/manifest.hpp>
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
  std::size_t n_tasks = 0;
  std::string header;
  lk::parallel::file_fingerprint content;
};

/// From its manifest; the file itself is not read. Throws: merge_error.
inline shard_output describe_shard(const std::string& path) {
  std::ifstream file(path + ".manifest.json");
  if (!file) throw merge_error(path + " is not complete: it has no manifest; let its job come to its end first");
  try {
    shard_output found;
    found.path = path;
    found.manifest = json::parse(file);
    const json& said = found.manifest;
    if (said.at("format") != manifest_format) throw merge_error(path + ": its manifest has another format");
    found.part = {said.at("shard").at("index"), said.at("shard").at("of")};
    found.tasks = {said.at("tasks").at("begin"), said.at("tasks").at("end")};
    found.n_tasks = said.at("tasks").at("of");
    const json& output = said.at("output");
    found.header = output.at("header");
    found.content = {output.at("bytes"), std::stoull(output.at("crc64").get<std::string>(), nullptr, 16)};
    return found;
  } catch (const json::exception& e) {
    throw merge_error(path + ".manifest.json is not a manifest: " + e.what());
  }
}

/// What the shard's output depends on, the shard itself left out.
inline lk::parallel::journal_identity job_of(const shard_output& from) {
  lk::parallel::journal_identity job;
  for (const auto& [name, value] : from.manifest.at("job").items())
    if (name != "shard") job.emplace_back(name, value.get<std::string>());
  return job;
}

/// Puts the shards of one job in order. Throws: merge_error.
inline void check_shards(std::vector<shard_output>& shards) {
  std::sort(shards.begin(), shards.end(),
            [](const shard_output& a, const shard_output& b) { return a.part.index < b.part.index; });
  const shard_output& first = shards.at(0);
  for (const shard_output& one : shards) {
    const lk::parallel::journal_identity known = job_of(first), found = job_of(one);
    const auto [was, is] = std::mismatch(known.begin(), known.end(), found.begin(), found.end());
    if (was != known.end() || is != found.end())
      throw merge_error(
          one.path + " is of another job than " + first.path + ": " +
          (was != known.end() ? was->first + " was \"" + was->second + "\" there" : "it has more settings"));
    if (one.part.of != first.part.of || one.n_tasks != first.n_tasks || one.header != first.header)
      throw merge_error(one.path + " is cut in another way than " + first.path);
  }
  std::size_t expected = 1;
  std::string missing;
  for (const shard_output& one : shards) {
    if (one.part.index < expected) throw merge_error(one.path + " is there twice");
    for (; expected < one.part.index; ++expected) missing.append(" ").append(std::to_string(expected));
    ++expected;
  }
  for (; expected <= first.part.of; ++expected) missing.append(" ").append(std::to_string(expected));
  if (!missing.empty()) throw merge_error("of " + std::to_string(first.part.of) + " shards are missing:" + missing);
  for (const shard_output& one : shards)
    if (!(one.tasks == block_of(one.part, one.n_tasks)))
      throw merge_error(one.path + ": its manifest tells of other tasks than the shard has");
}

/// Throws: merge_error where the file is not what its manifest says.
inline void check_content(const shard_output& one) {
  if (lk::parallel::fingerprint(one.path) != one.content)
    throw merge_error(one.path + " has been changed since it was complete; start its job again with --fresh");
}

/// Appends the bytes of the file from `from` on.
inline void append_file(lk::parallel::journal& out, const std::string& path, std::uint64_t from) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(from));
  std::string piece(1 << 20, '\0');
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0)
    out.append(std::string_view(piece).substr(0, static_cast<std::size_t>(file.gcount())));
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
    rows += one.manifest.at("output").at("rows").get<std::size_t>();
    made["merged"].push_back(one.manifest.at("output"));
    made["merged"].back()["time"] = one.manifest.at("time");
  }
  made["output"]["rows"] = rows;
  made["command"] = command.words();
  made["time"] = {{"finished", utc_text(std::time(nullptr))}};
  return made;
}

/// Appends what is not there yet. Throws: merge_error.
inline void append_shards(lk::parallel::journal& out, const std::vector<shard_output>& shards) {
  std::uint64_t passed = 0; // bytes of the output that the shards up to here make
  for (const shard_output& one : shards) {
    const std::uint64_t skipped = one.part.index == 1 ? 0 : one.header.size();
    const std::uint64_t there = out.content().bytes - passed; // of this shard, from a start before
    const std::uint64_t length = one.content.bytes - skipped;
    if (there < length) append_file(out, one.path, skipped + there);
    passed += length;
  }
  if (out.content().bytes != passed)
    throw merge_error("a shard was changed while it was read; start again with --fresh");
}

/// Hands back whether there was something to do. Throws: merge_error; as lk::parallel::journal.
inline bool merge_shards(const std::vector<std::string>& paths, const batch_options& asked,
                         const command_line& command) {
  std::vector<shard_output> shards;
  for (const std::string& path : paths) shards.push_back(describe_shard(path));
  check_shards(shards);
  lk::parallel::journal_identity identity = job_of(shards[0]);
  identity.emplace_back("merged from", std::to_string(shards.size()) + " shards"); // its records are no tasks
  lk::parallel::journal out(asked.out, identity,
                            {.fresh = asked.fresh, .checkpoint_interval = asked.checkpoint_interval()});
  if (out.is_complete()) return false;
  for (const shard_output& one : shards) check_content(one);
  append_shards(out, shards);
  out.commit(merged_manifest(shards, out, command).dump(2) + "\n");
  return true;
}

} // namespace recsys
