// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include <lk/parallel/initialize.hpp>
#include <lk/parallel/journal.hpp>

#include <recsys/job_identity.hpp>
#include <recsys/shard.hpp>

// OUT.manifest.json: what an output is, what it was made of, and how. Programs read it to know that an output is whole,
// batch_merge to put shards together.

namespace recsys {

using json = nlohmann::ordered_json;

inline constexpr const char* manifest_format = "lk-parallel batch manifest 1";

/// What a run has to tell that does not follow from the job.
struct run_report {
  std::vector<std::string> command;
  std::time_t started = 0, finished = 0;
  double seconds = 0;         ///< of this run; what runs before it took is not known
  std::size_t tasks_kept = 0; ///< that runs before it had done
  json counts = json::object();
};

/// The bytes of an output and the tasks in it.
struct output_facts {
  std::string file;
  lk::parallel::file_fingerprint content;
  std::string header; ///< its first line, with the line end
  std::size_t rows = 0;
  task_block tasks;
  std::size_t n_tasks = 0; ///< of the whole job
};

/// 2026-01-31T23:59:59Z
inline std::string utc_text(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

inline json to_json(const lk::parallel::file_fingerprint& content) {
  return {{"bytes", content.bytes}, {"crc64", content.crc64_text()}};
}

inline json knobs_as_json() {
  const lk::parallel::ParallelConfig& knobs = lk::parallel::get_parallel_config();
  return {{"processes", knobs.processes},
          {"threads", knobs.threads},
          {"backend_threads", knobs.backend_threads},
          {"child_threads", knobs.child_threads}};
}

inline json make_manifest(const job_identity& job, const output_facts& output, const run_report& run) {
  json made{{"format", manifest_format}};
  for (const auto& [name, value] : job.entries()) made["job"][name] = value;
  made["inputs"] = json::array();
  for (const input_file& input : job.inputs()) {
    json entry{{"role", input.role}, {"path", input.path}};
    entry.update(to_json(input.content));
    made["inputs"].push_back(entry);
  }
  made["shard"] = {{"index", job.part().index}, {"of", job.part().of}};
  made["output"] = {{"file", output.file}};
  made["output"].update(to_json(output.content));
  made["output"]["header"] = output.header;
  made["output"]["rows"] = output.rows;
  made["tasks"] = {{"begin", output.tasks.begin}, {"end", output.tasks.end}, {"of", output.n_tasks}};
  made["counts"] = run.counts;
  made["knobs"] = knobs_as_json();
  made["library"] = library_version();
  made["command"] = run.command;
  made["time"] = {{"started", utc_text(run.started)},
                  {"finished", utc_text(run.finished)},
                  {"seconds", run.seconds},
                  {"tasks_kept_from_before", run.tasks_kept}};
  return made;
}

/// For the beginning of a job. Throws: std::invalid_argument where its output could have no manifest in the end.
inline void check_manifest_of(const std::filesystem::path& output) {
  const std::string manifest = output.string() + ".manifest.json",
                    fresh = manifest + ".new"; // as the journal names them
  std::error_code none;
  if (std::filesystem::exists(std::filesystem::symlink_status(manifest, none)) &&
      !std::filesystem::is_regular_file(manifest, none))
    throw std::invalid_argument(manifest +
                                " is not a file, but the manifest has this name; move it away, or name another output");
  if (!status_known(std::filesystem::status(fresh, none)) && none == std::errc::filename_too_long)
    throw std::invalid_argument(output.string() + ": the name is too long, since " +
                                fresh.substr(output.string().size()) + " is added to it");
}

/// The bytes of the file. What is no UTF-8, as the name of a file may be, has U+FFFD in its place.
inline std::string manifest_text(const json& manifest) {
  return manifest.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace recsys
