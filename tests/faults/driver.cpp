// lk-parallel | SPDX-License-Identifier: MIT
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/unique_fd.hpp>

#include "faults/descendants.hpp"
#include "faults/one_run.hpp"

// The driver: runs the victim with one fault and sees to what only an outsider can: that it ends in time and as the
// fault declares, and that no process and no shared memory outlives it. As a child subreaper it becomes the parent of
// whatever the victim leaves behind.

using namespace lk::parallel;
using namespace lk::parallel::faults;

namespace {

constexpr const char* help =
    R"(fault_driver VICTIM --fault NAME [options]     runs one fault; status 0 where all is well
fault_driver VICTIM --expect-names NAME...     compares the names with the victim's list
  --repeat N            that many runs; goes on after a failure, and prints one line of sums
  --minutes N           no new run after so long
  --deadline SECONDS    for one run; default 60, five times that under a sanitizer
  --busy                beside as many busy loops as there are CPUs
  --seed N              for the victim
  --expect-failure TEXT succeeds only where the run fails and its report holds the text
)";

// --- several runs

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

double largest(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

/// "measured: label: 1.234 ms" as (label, 1.234).
std::optional<std::pair<std::string, double>> measurement_of(const std::string& line) {
  constexpr std::string_view beginning = "measured: ";
  const auto end_of_label = line.rfind(": ");
  if (line.rfind(beginning, 0) != 0 || end_of_label < beginning.size()) return std::nullopt;
  return std::make_pair(line.substr(beginning.size(), end_of_label - beginning.size()),
                        std::strtod(line.c_str() + end_of_label + 2, nullptr));
}

class summary {
 public:
  void add(const run_report& run) {
    ++n_runs_;
    if (!run.failures.empty()) ++n_failures_;
    wall_ms_.push_back(run.wall_ms);
    std::istringstream lines(run.output);
    for (std::string line; std::getline(lines, line);)
      if (const auto found = measurement_of(line)) measured_ms_[found->first].push_back(found->second);
  }
  int n_failures() const { return n_failures_; }

  void print(const std::string& fault) const {
    std::printf("%s: %d runs, %d failures, wall median/max %.1f/%.1f ms\n", fault.c_str(), n_runs_, n_failures_,
                median(wall_ms_), largest(wall_ms_));
    for (const auto& [label, values] : measured_ms_)
      std::printf("  measured: %s: median/max %.3f/%.3f ms in %zu\n", label.c_str(), median(values), largest(values),
                  values.size());
    std::fflush(stdout);
  }

 private:
  int n_runs_ = 0, n_failures_ = 0;
  std::vector<double> wall_ms_;
  std::map<std::string, std::vector<double>> measured_ms_;
};

/// Busy loops, one for each CPU, for the life of the object.
class busy_loops {
 public:
  explicit busy_loops(unsigned n) {
    const pid_t driver = ::getpid();
    for (unsigned i = 0; i < n; ++i) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        static volatile unsigned turns = 0;
        while (::getppid() == driver)
          for (int turn = 0; turn < 1'000'000; ++turn) turns = turns + 1;
        ::_exit(0);
      }
      if (pid > 0) pids_.insert(pid);
    }
  }
  ~busy_loops() {
    for (const pid_t pid : pids_) {
      if (::waitpid(pid, nullptr, WNOHANG) != 0) continue; // somebody has ended it
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }
  busy_loops(const busy_loops&) = delete;
  busy_loops& operator=(const busy_loops&) = delete;

  const std::set<pid_t>& pids() const { return pids_; }

 private:
  std::set<pid_t> pids_;
};

// --- the victim's list

struct listed_fault {
  std::string name;
  int ends_by;
};

std::vector<listed_fault> list_of(const std::string& victim, const char* option) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error(std::string("pipe: ") + std::strerror(errno));
  const base::unique_fd reading(ends[0]);
  base::unique_fd writing(ends[1]);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(writing.get(), 1);
    ::execl(victim.c_str(), victim.c_str(), option, nullptr);
    ::_exit(127);
  }
  writing.reset();
  std::string text(1 << 16, '\0');
  std::size_t n_read = 0;
  for (ssize_t n = 0; (n = ::read(reading.get(), text.data() + n_read, text.size() - n_read)) > 0;)
    n_read += static_cast<std::size_t>(n);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) throw std::runtime_error(victim + ' ' + option + ' ' + how_it_ended(status));
  std::vector<listed_fault> found;
  std::istringstream lines(text.substr(0, n_read));
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find('\t');
    if (first != std::string::npos) found.push_back({line.substr(0, first), std::atoi(line.c_str() + first)});
  }
  return found;
}

int compare_names(const driver_settings& wanted) {
  std::set<std::string> listed;
  const std::set<std::string> expected(wanted.expected_names->begin(), wanted.expected_names->end());
  for (const listed_fault& fault : list_of(wanted.victim, "--list")) listed.insert(fault.name);
  for (const std::string& name : listed)
    if (!expected.count(name)) std::printf("%s is not named in CMakeLists.txt\n", name.c_str());
  for (const std::string& name : expected)
    if (!listed.count(name)) std::printf("%s is named in CMakeLists.txt and no fault of the victim\n", name.c_str());
  return listed == expected ? 0 : 1;
}

// --- the whole

/// All that the victim said where one run is asked for or something failed, else only the seeds.
void tell(const run_report& run, int number, bool all) {
  if (!run.failures.empty()) std::printf("--- run %d failed:\n", number);
  for (const std::string& failure : run.failures) std::printf("%s\n", failure.c_str());
  std::istringstream lines(run.output);
  for (std::string line; std::getline(lines, line);)
    if (all || !run.failures.empty() || line.rfind("seed: ", 0) == 0) std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

bool holds(const run_report& run, const std::string& text) {
  bool found = run.output.find(text) != std::string::npos;
  for (const std::string& failure : run.failures) found = found || failure.find(text) != std::string::npos;
  return found;
}

int drive(const driver_settings& wanted) {
  if (wanted.expected_names) return compare_names(wanted);
  const auto all = list_of(wanted.victim, "--list-all");
  const auto chosen =
      std::find_if(all.begin(), all.end(), [&](const listed_fault& fault) { return fault.name == wanted.fault; });
  if (chosen == all.end()) throw std::runtime_error("the victim has no fault \"" + wanted.fault + '"');
  const busy_loops busy(wanted.busy ? std::max(1u, std::thread::hardware_concurrency()) : 0);
  const auto end = base::deadline::after(wanted.at_most);
  summary sums;
  for (int number = 1; number <= wanted.repeat && !(number > 1 && end.passed()); ++number) {
    const run_report run = one_run(wanted, chosen->ends_by, busy.pids()).run();
    tell(run, number, wanted.repeat == 1);
    sums.add(run);
    if (wanted.expected_failure && (run.failures.empty() || !holds(run, *wanted.expected_failure))) {
      std::printf("expected was a failure with \"%s\"\n", wanted.expected_failure->c_str());
      return 1;
    }
  }
  sums.print(wanted.fault);
  return sums.n_failures() == 0 || wanted.expected_failure ? 0 : 1;
}

driver_settings parse(int n_words, char** words) {
  driver_settings wanted;
  for (int i = 1; i < n_words; ++i) {
    const std::string word = words[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= n_words) throw std::runtime_error(word + " needs a value");
      return words[++i];
    };
    if (wanted.expected_names)
      wanted.expected_names->push_back(word);
    else if (word == "--fault")
      wanted.fault = value();
    else if (word == "--repeat")
      wanted.repeat = std::stoi(value());
    else if (word == "--minutes")
      wanted.at_most = std::chrono::minutes(std::stoi(value()));
    else if (word == "--deadline")
      wanted.deadline = std::chrono::seconds(std::stoi(value()));
    else if (word == "--seed")
      wanted.seed = value();
    else if (word == "--expect-failure")
      wanted.expected_failure = value();
    else if (word == "--expect-names")
      wanted.expected_names.emplace();
    else if (word == "--busy")
      wanted.busy = true;
    else if (wanted.victim.empty() && word.rfind("--", 0) != 0)
      wanted.victim = word;
    else
      throw std::runtime_error('"' + word + "\" is not understood");
  }
  if (wanted.victim.empty() || (wanted.fault.empty() && !wanted.expected_names))
    throw std::runtime_error("a victim and a fault are needed");
  return wanted;
}

} // namespace

int main(int n_words, char** words) {
  if (n_words == 2 && std::string(words[1]) == "--help") return std::fputs(help, stdout), 0;
  sigset_t child_ended;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child_ended, nullptr);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  try {
    return drive(parse(n_words, words));
  } catch (const std::exception& thrown) {
    std::fprintf(stderr, "fault_driver: %s\n%s", thrown.what(), help);
    return 2;
  }
}
