// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include <lk/parallel/diagnose.hpp>

// A diagnosis for programs. Names follow the members of lk::parallel::diagnosis; null stands for "not known" and "no
// limit".

namespace doctor {

using json = nlohmann::ordered_json;
namespace parallel = lk::parallel;

template <class T> json or_null(const std::optional<T>& value) { return value ? json(*value) : json(nullptr); }

inline json as_json(const std::optional<parallel::usage>& use) {
  return use ? json{{"used", use->used}, {"limit", use->limit}} : json(nullptr);
}

inline const char* name_of(parallel::knob_origin origin) {
  switch (origin) {
  case parallel::knob_origin::argument:
    return "argument";
  case parallel::knob_origin::variable:
    return "variable";
  case parallel::knob_origin::host:
    return "host";
  case parallel::knob_origin::default_value:
    break;
  }
  return "default";
}

inline json as_json(const parallel::machine_topology& machine) {
  json nodes = json::array();
  for (const parallel::numa_node& node : machine.nodes)
    nodes.push_back(
        {{"number", node.number}, {"memory_bytes", node.memory_bytes}, {"processing_units", node.processing_units}});
  return {{"cpu_model", machine.cpu_model},
          {"packages", machine.packages},
          {"cores", machine.cores},
          {"processing_units", machine.processing_units},
          {"nodes", std::move(nodes)}};
}

inline json as_json(const parallel::system_facts& system) {
  return {{"has_proc", system.has_proc},
          {"kernel", system.kernel},
          {"has_pidfd", system.has_pidfd},
          {"overcommit", system.overcommit},
          {"huge_pages", system.huge_pages},
          {"core_pattern", system.core_pattern},
          {"memory", as_json(system.memory)},
          {"oom_kills_group", system.oom_kills_group},
          {"cgroup_tasks", as_json(system.cgroup_tasks)},
          {"user_tasks", as_json(system.user_tasks)},
          {"open_files", as_json(system.open_files)},
          {"address_space", or_null(system.address_space)},
          {"core_file_size", or_null(system.core_file_size)},
          {"ignores_sigchld", system.ignores_sigchld},
          {"handles_sigchld", system.handles_sigchld},
          {"devices", system.devices}};
}

inline json as_json(const parallel::diagnosis& all) {
  json knobs = json::array(), backends = json::array(), threads = json::array(), findings = json::array();
  for (const parallel::traced_knob& each : all.knobs)
    knobs.push_back(
        {{"name", each.name}, {"value", each.value}, {"origin", name_of(each.origin)}, {"source", each.source}});
  for (const parallel::backend_report& pool : all.backends)
    backends.push_back({{"name", pool.name},
                        {"kind", pool.kind},
                        {"version", pool.version},
                        {"threading_layer", pool.threading_layer},
                        {"threads", pool.threads},
                        {"per_thread", pool.per_thread},
                        {"variable", pool.variable},
                        {"file", pool.file}});
  for (const parallel::thread_group& group : all.threads)
    threads.push_back({{"name", group.name}, {"count", group.count}, {"owner", to_string(group.owner)}});
  for (const parallel::finding& each : all.findings)
    findings.push_back(
        {{"level", to_string(each.level)}, {"topic", each.topic}, {"what", each.what}, {"advice", each.advice}});
  const auto& v = all.version;
  return {{"version", std::to_string(v.major) + '.' + std::to_string(v.minor) + '.' + std::to_string(v.patch)},
          {"knobs", std::move(knobs)},
          {"placement", to_string(all.bind)},
          {"cpus",
           {{"machine", all.cpus.machine},
            {"affinity", or_null(all.cpus.affinity)},
            {"quota", or_null(all.cpus.quota)},
            {"effective", all.cpus.effective}}},
          {"topology", as_json(all.topology)},
          {"system", as_json(all.system)},
          {"backends", std::move(backends)},
          {"threads", std::move(threads)},
          {"findings", std::move(findings)}};
}

} // namespace doctor
