// lk-parallel | SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <lk/parallel/base/deadline.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/base/unique_fd.hpp>

#include <support/procfs.hpp>
#include <support/sanitizers.hpp>

#include "faults/signs_of_life.hpp"

// The driver: runs the victim with one fault and sees to what only an outsider can: that it ends in time and as the
// fault declares, and that no process and no shared memory outlives it. As a child subreaper it becomes the parent of
// whatever the victim leaves behind.

using namespace lk::parallel;
using std::chrono::milliseconds;
using testing::process_state;

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

struct settings {
  std::string victim;
  std::string fault;
  int repeat = 1;
  std::chrono::seconds at_most = std::chrono::hours(24);
  std::chrono::seconds deadline{testing::under_sanitizer ? 300 : 60};
  bool busy = false;
  std::optional<std::string> seed;
  std::optional<std::string> expected_failure;
  std::optional<std::vector<std::string>> expected_names;
};

// --- processes

/// Whoever descends from this process, but for those of `without`.
std::vector<process_state> descendants(const std::set<pid_t>& without) {
  const auto all = testing::all_processes();
  std::set<pid_t> family{::getpid()};
  std::vector<process_state> found;
  for (bool grew = true; grew;) {
    grew = false;
    for (const process_state& process : all) {
      if (!family.count(process.parent) || family.count(process.pid) || without.count(process.pid)) continue;
      family.insert(process.pid);
      found.push_back(process);
      grew = true;
    }
  }
  return found;
}

std::string name_of(pid_t pid) {
  std::string name = base::read_small_file("/proc/" + std::to_string(pid) + "/comm").value_or("?");
  return name.substr(0, name.find('\n'));
}

/// One more SIGCHLD, or the limit. SIGCHLD is blocked in this process.
void wait_for_a_child(const base::deadline& limit) {
  sigset_t child_ended;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  const auto left = std::min<std::chrono::nanoseconds>(limit.left(), std::chrono::milliseconds(100));
  const timespec span{0, static_cast<long>(left.count())};
  ::sigtimedwait(&child_ended, nullptr, &span);
}

struct ended_child {
  pid_t pid;
  std::string name;
  int status;
};

/// A child that has ended and is now reaped, but for those of `without`, which are left alone.
std::optional<ended_child> reap_one() {
  siginfo_t info{};
  if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return std::nullopt;
  ended_child ended{info.si_pid, name_of(info.si_pid), 0};
  ::waitpid(ended.pid, &ended.status, 0);
  return ended;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return std::string("was killed by SIG") + ::sigabbrev_np(WTERMSIG(status));
  return "exited with status " + std::to_string(WEXITSTATUS(status));
}

/// Kills whoever descends from this process until nobody is left.
void kill_all(const std::set<pid_t>& without) {
  while (true) {
    const auto left = descendants(without);
    if (left.empty()) return;
    for (const process_state& process : left)
      if (process.state != 'Z') ::kill(process.pid, SIGKILL);
    while (reap_one()) {
    }
    wait_for_a_child(base::deadline::after(milliseconds(5)));
  }
}

std::set<std::string> shared_memory_names() {
  const auto names = testing::names_in("/dev/shm");
  return {names.begin(), names.end()};
}

// --- what a hang looks like

std::string first_line_of(const std::string& path) {
  const std::string text = base::read_small_file(path).value_or("not readable");
  return text.substr(0, text.find('\n'));
}

std::string describe_thread(const std::string& folder, const std::string& thread) {
  std::string text = "    thread " + thread + " (" + first_line_of(folder + "/comm") + ") waits in " +
                     first_line_of(folder + "/wchan") + ", system call " + first_line_of(folder + "/syscall") + '\n';
  std::istringstream stack(base::read_small_file(folder + "/stack").value_or(""));
  for (std::string frame; std::getline(stack, frame);) text += "      " + frame + '\n';
  return text;
}

std::string describe(const std::vector<process_state>& processes, faults::signs_of_life& signs) {
  std::string text, silent = "none of them has passed a fault point";
  std::int64_t oldest = 0;
  for (const process_state& process : processes) {
    text += "  process " + std::to_string(process.pid) + " (" + process.name + ", state " + process.state +
            ", child of " + std::to_string(process.parent) + ")";
    if (const faults::sign_of_life* sign = signs.find(process.pid)) {
      const std::int64_t age_ns = faults::signs_of_life::now_ns() - sign->at_ns.load(std::memory_order_relaxed);
      const std::string age = std::to_string(age_ns / 1'000'000) + " ms ago";
      text += ": passed \"" + sign->point() + "\" " + age + ", " +
              std::to_string(sign->count.load(std::memory_order_relaxed)) + " points in all";
      if (process.name.rfind("lk-worker-", 0) == 0 && age_ns > oldest) {
        oldest = age_ns;
        silent = process.name + " (process " + std::to_string(process.pid) + "), last seen at \"" + sign->point() +
                 "\" " + age;
      }
    } else {
      text += ": passed no fault point";
    }
    text += '\n';
    const std::string threads = "/proc/" + std::to_string(process.pid) + "/task";
    for (const std::string& thread : testing::names_in(threads))
      text += describe_thread(threads + '/' + thread, thread);
  }
  return text + "  the most silent worker: " + silent + '\n';
}

// --- one run

struct report {
  std::vector<std::string> failures;
  std::string output;
  double wall_ms = 0;
};

class one_run {
 public:
  one_run(const settings& wanted, int ends_by, const std::set<pid_t>& busy)
      : wanted_(wanted)
      , ends_by_(ends_by)
      , busy_(busy)
      , output_(::memfd_create("output", MFD_CLOEXEC))
      , signs_fd_(::memfd_create("signs of life", MFD_CLOEXEC)) {
    if (!output_ || !signs_fd_ || ::ftruncate(signs_fd_.get(), faults::signs_of_life::bytes) != 0 ||
        !(signs_ = faults::signs_of_life::map(signs_fd_.get())))
      throw std::runtime_error(std::string("cannot make memory for the victim: ") + std::strerror(errno));
  }
  ~one_run() {
    if (signs_) signs_->unmap();
  }
  one_run(const one_run&) = delete;
  one_run& operator=(const one_run&) = delete;

  report run() {
    const auto shared_memory_before = shared_memory_names();
    const auto begin = std::chrono::steady_clock::now();
    const pid_t victim = start();
    if (const auto status = wait_for_end(victim)) {
      judge_end(*status);
      if (ends_by_ == 0)
        expect_no_orphans();
      else
        expect_orphans_to_end();
    }
    report_.wall_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    kill_all(busy_);
    for (const std::string& name : shared_memory_names())
      if (!shared_memory_before.count(name)) fail_for_shared_memory("/dev/shm/" + name);
    report_.output = base::read_small_file("/proc/self/fd/" + std::to_string(output_.get())).value_or("") + measured_;
    return report_;
  }

 private:
  void fail(const std::string& sentence) { report_.failures.push_back(sentence); }

  /// Where the failure was asked for, the name is removed; else another program may have made it.
  void fail_for_shared_memory(const std::string& path) {
    fail(path + " is new");
    if (wanted_.expected_failure) ::unlink(path.c_str());
  }

  pid_t start() {
    std::vector<std::string> words{wanted_.victim, "--fault", wanted_.fault, "--signs", std::to_string(victims_signs)};
    if (wanted_.seed) words.insert(words.end(), {"--seed", *wanted_.seed});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t driver = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
    if (pid == 0) become_victim(driver, argv);
    ::setpgid(pid, pid); // in both processes, so that the group exists before either goes on
    return pid;
  }

  [[noreturn]] void become_victim(pid_t driver, const std::vector<char*>& argv) const {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != driver) ::_exit(127);
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, 0);
    ::dup2(output_.get(), 1);
    ::dup2(output_.get(), 2);
    ::dup2(signs_fd_.get(), victims_signs);
    ::close(nothing);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execv(argv[0], argv.data());
    ::dprintf(2, "%s cannot be run: %s\n", argv[0], std::strerror(errno));
    ::_exit(127);
  }

  /// The victim's end, once it is there; orphans that end meanwhile are failures.
  std::optional<int> wait_for_end(pid_t victim) {
    const auto limit = base::deadline::after(wanted_.deadline);
    while (true) {
      while (const auto ended = reap_one()) {
        if (ended->pid == victim) return ended->status;
        if (!busy_.count(ended->pid)) orphans_.push_back(*ended);
      }
      if (limit.passed()) break;
      wait_for_a_child(limit);
    }
    fail("it hangs: no end within " + std::to_string(wanted_.deadline.count()) + " s; who waits where:\n" +
         describe(descendants(busy_), *signs_));
    return std::nullopt;
  }

  void judge_end(int status) {
    const bool as_declared = ends_by_ == 0 ? WIFEXITED(status) && WEXITSTATUS(status) == 0
                                           : WIFSIGNALED(status) && WTERMSIG(status) == ends_by_;
    if (!as_declared)
      fail("the victim " + how_it_ended(status) + ", not as declared (" +
           (ends_by_ == 0 ? std::string("exit status 0") : std::string("SIG") + ::sigabbrev_np(ends_by_)) + ")");
  }

  void expect_no_orphans() {
    for (const ended_child& ended : orphans_)
      fail("an orphan, dead by now: process " + std::to_string(ended.pid) + " (" + ended.name + "), which " +
           how_it_ended(ended.status));
    const auto left = descendants(busy_);
    if (!left.empty()) fail("orphans of a victim that has left:\n" + describe(left, *signs_));
  }

  /// A victim that was killed leaves the rest to its zygote. 0.5 s are promised for an idle machine; ten times that in
  /// a test.
  void expect_orphans_to_end() {
    const auto begin = std::chrono::steady_clock::now();
    const auto limit = base::deadline::after(std::chrono::seconds(5));
    while (true) {
      while (reap_one()) {
      }
      const auto left = descendants(busy_);
      if (left.empty()) break;
      if (limit.passed()) return fail("processes outlive the victim by 5 s:\n" + describe(left, *signs_));
      wait_for_a_child(base::deadline::after(milliseconds(2)));
    }
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    char line[200];
    std::snprintf(line, sizeof line, "measured: %s: all processes gone: %.3f ms\n", wanted_.fault.c_str(),
                  time.count());
    measured_ = line;
  }

  static constexpr int victims_signs = 3;

  const settings& wanted_;
  int ends_by_;
  const std::set<pid_t>& busy_;
  base::unique_fd output_, signs_fd_;
  faults::signs_of_life* signs_ = nullptr;
  std::vector<ended_child> orphans_;
  std::string measured_;
  report report_;
};

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
  void add(const report& run) {
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

int compare_names(const settings& wanted) {
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
void tell(const report& run, int number, bool all) {
  if (!run.failures.empty()) std::printf("--- run %d failed:\n", number);
  for (const std::string& failure : run.failures) std::printf("%s\n", failure.c_str());
  std::istringstream lines(run.output);
  for (std::string line; std::getline(lines, line);)
    if (all || !run.failures.empty() || line.rfind("seed: ", 0) == 0) std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

bool holds(const report& run, const std::string& text) {
  bool found = run.output.find(text) != std::string::npos;
  for (const std::string& failure : run.failures) found = found || failure.find(text) != std::string::npos;
  return found;
}

int drive(const settings& wanted) {
  if (wanted.expected_names) return compare_names(wanted);
  const auto all = list_of(wanted.victim, "--list-all");
  const auto chosen =
      std::find_if(all.begin(), all.end(), [&](const listed_fault& fault) { return fault.name == wanted.fault; });
  if (chosen == all.end()) throw std::runtime_error("the victim has no fault \"" + wanted.fault + '"');
  const busy_loops busy(wanted.busy ? std::max(1u, std::thread::hardware_concurrency()) : 0);
  const auto end = base::deadline::after(wanted.at_most);
  summary sums;
  for (int number = 1; number <= wanted.repeat && !(number > 1 && end.passed()); ++number) {
    const report run = one_run(wanted, chosen->ends_by, busy.pids()).run();
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

settings parse(int n_words, char** words) {
  settings wanted;
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
