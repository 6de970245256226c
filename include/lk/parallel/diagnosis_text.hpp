// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/config/findings.hpp>
#include <lk/parallel/diagnosis.hpp>

// A diagnosis for people: printed in sections by operator<<, or as the few lines that LK_DEBUG logs. Values that came
// from outside (names of threads, paths) are shown without control characters.

namespace lk::parallel {

namespace front {

using text_row = std::vector<std::string>;

/// "1 core", "2 cores"
inline std::string counted(long long n, const std::string& one) {
  return std::to_string(n) + ' ' + one + (n == 1 ? "" : "s");
}

inline std::string printable(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
  return text;
}

/// A heading and rows below it, each column as wide as its widest cell; `if_empty` where there are none.
inline void print_section(std::ostream& out, const char* heading, const std::vector<text_row>& rows,
                          const char* if_empty = "") {
  out << '\n' << heading << '\n';
  if (rows.empty()) out << "  " << if_empty << '\n';
  std::vector<std::size_t> widths;
  for (const text_row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const text_row& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i)
      line += ' ' + printable(row[i]) + std::string(widths[i] - row[i].size() + 1, ' ');
    out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  }
}

inline std::vector<text_row> rows_of(const std::vector<traced_knob>& knobs, placement bind) {
  std::vector<text_row> rows;
  for (const traced_knob& each : knobs) rows.push_back({each.name, std::to_string(each.value), each.told_origin()});
  rows.push_back({"placement", to_string(bind), bind == placement::none ? "default" : "LK_BIND"});
  return rows;
}

inline std::vector<text_row> rows_of(const cpu_counts& cpus) {
  const auto known = [](const std::optional<int>& n, const char* otherwise) {
    return n ? std::to_string(*n) : std::string(otherwise);
  };
  return {{"machine", std::to_string(cpus.machine)},
          {"affinity mask", known(cpus.affinity, "not known")},
          {"cgroup quota", known(cpus.quota, "none")},
          {"in effect", std::to_string(cpus.effective)}};
}

inline std::vector<text_row> rows_of(const machine_topology& machine) {
  if (machine.processing_units == 0) return {};
  std::vector<text_row> rows;
  if (!machine.cpu_model.empty()) rows.push_back({machine.cpu_model});
  rows.push_back({counted(machine.packages, "package") + ", " +
                  counted(static_cast<long long>(machine.nodes.size()), "NUMA node") + ", " +
                  counted(machine.cores, "core") + ", " + counted(machine.processing_units, "processing unit") +
                  (machine.processing_units > machine.cores ? " (SMT)" : " (no SMT)")});
  for (const numa_node& node : machine.nodes)
    rows.push_back({"NUMA node " + std::to_string(node.number) + ": " + config::in_gib(node.memory_bytes) + ", " +
                    counted(node.processing_units, "processing unit")});
  return rows;
}

inline std::vector<text_row> rows_of(const system_facts& system) {
  std::vector<text_row> rows{{"kernel", system.kernel},
                             {"huge pages", system.huge_pages.empty() ? "not known" : system.huge_pages},
                             {"overcommit", std::to_string(system.overcommit)},
                             {"core files", system.core_pattern}};
  const auto add = [&](const char* name, const std::optional<usage>& use, bool is_memory) {
    const auto show = [&](std::uint64_t n) { return is_memory ? config::in_gib(n) : std::to_string(n); };
    if (use) rows.push_back({name, show(use->used) + " of " + show(use->limit)});
  };
  add("cgroup memory", system.memory, true);
  add("cgroup tasks", system.cgroup_tasks, false);
  add("user's tasks", system.user_tasks, false);
  add("open files", system.open_files, false);
  return rows;
}

inline std::vector<text_row> rows_of(const std::vector<backend_report>& backends) {
  std::vector<text_row> rows;
  for (const backend_report& pool : backends)
    rows.push_back({pool.name + (pool.version.empty() ? "" : " " + pool.version), pool.kind, pool.threading_layer,
                    counted(pool.threads, "thread") + (pool.per_thread ? " on this thread" : ""),
                    pool.variable.empty() ? pool.file : pool.file + " (kept by " + pool.variable + ')'});
  return rows;
}

inline std::vector<text_row> rows_of(const std::vector<thread_group>& threads) {
  std::vector<text_row> rows;
  for (const thread_group& group : threads) {
    const bool nameless = group.owner == thread_owner::others && group.name == threads[0].name;
    rows.push_back({nameless ? "(not named)" : group.name, std::to_string(group.count), to_string(group.owner)});
  }
  return rows;
}

/// What LK_DEBUG logs before the findings: one line for each subject.
inline std::vector<std::string> essentials(const diagnosis& all) {
  std::vector<std::string> lines;
  std::ostringstream text;
  const auto end_line = [&] { lines.push_back(printable(std::exchange(text, {}).str())); };
  text << "lk-parallel " << all.version.major << '.' << all.version.minor << '.' << all.version.patch << ':';
  for (const traced_knob& each : all.knobs) text << (&each == all.knobs.data() ? " " : ", ") << each;
  text << ", placement " << to_string(all.bind);
  end_line();
  text << "CPUs:";
  for (const text_row& row : rows_of(all.cpus)) text << (row[0] == "machine" ? " " : ", ") << row[0] << ' ' << row[1];
  end_line();
  text << "backends:" << (all.backends.empty() ? " none loaded" : "");
  for (const backend_report& pool : all.backends)
    text << (&pool == all.backends.data() ? " " : ", ") << pool.name << (pool.version.empty() ? "" : " ")
         << pool.version << " (" << counted(pool.threads, "thread")
         << (pool.variable.empty() ? "" : ", " + pool.variable) << ')';
  end_line();
  return lines;
}

} // namespace front

/// For people: sections with a heading each, findings last, each with its advice.
LK_PARALLEL_DEFINITION std::ostream& operator<<(std::ostream& out, const diagnosis& all) {
  out << "lk-parallel " << all.version.major << '.' << all.version.minor << '.' << all.version.patch << '\n';
  front::print_section(out, "Knobs", front::rows_of(all.knobs, all.bind));
  front::print_section(out, "CPUs", front::rows_of(all.cpus));
  front::print_section(out, "Topology", front::rows_of(all.topology), "hwloc cannot read it");
  front::print_section(out, "System", front::rows_of(all.system));
  front::print_section(out, "Backends", front::rows_of(all.backends), "no BLAS, OpenMP or LibTorch is loaded");
  front::print_section(out, "Threads", front::rows_of(all.threads), "/proc does not tell");
  out << "\nFindings\n";
  if (all.findings.empty()) out << "  none\n";
  for (const finding& each : all.findings)
    out << "  " << to_string(each.level) << ": " << front::printable(each.what) << ". [" << each.topic << "]\n    "
        << each.advice << '\n';
  return out;
}

} // namespace lk::parallel
