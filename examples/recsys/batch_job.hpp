// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <fstream>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <lk/parallel/journal.hpp>
#include <lk/parallel/progress.hpp>

#include <recsys/batch_options.hpp>
#include <recsys/job_identity.hpp>
#include <recsys/manifest.hpp>
#include <recsys/shard.hpp>

// A long job that applies an operation to many tasks and writes what comes out in their order: it survives being
// killed, can be one shard of many, and leaves a manifest. The first record of its journal is the header of the output,
// each other one is what a task has to say.

namespace recsys {

/// Ctrl-C: what was done is kept. what() tells how much that is.
class interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class batch_job {
 public:
  /// Opens the output, so that one that cannot be written or belongs to another job is known before the work.
  /// header: the first line of the output, with its line end.
  /// Throws: std::invalid_argument where it can have no manifest; as lk::parallel::journal.
  batch_job(const batch_options& asked, const command_line& command, job_identity identity, std::string header)
      : command_(command)
      , identity_(std::move(identity))
      , header_(std::move(header))
      , journal_(asked.file(), identity_.entries(),
                 {.fresh = asked.fresh, .checkpoint_interval = asked.checkpoint_interval()}) {
    if (is_complete()) return;
    check_manifest_of(journal_.target());
    if (journal_.n_records() == 0) return;
    kept_ = done();
    rows_ = count_rows() - 1;
  }

  /// For when the inputs were read. Throws: std::invalid_argument where they are not those of the job any more.
  void check_inputs() const { identity_.check_inputs_at_rest(); }

  bool is_complete() const { return journal_.is_complete(); }
  std::string file() const { return journal_.target().string(); }
  /// Tasks of this shard that are done.
  std::size_t done() const {
    const auto n_records = static_cast<std::size_t>(journal_.n_records());
    return n_records == 0 ? 0 : n_records - 1;
  }
  /// Rows of the output below its header.
  std::size_t rows() const { return rows_; }
  /// The tasks of the job that are left to this shard, of n_tasks in all.
  task_block left_of(std::size_t n_tasks) const {
    const task_block all = block_of(identity_.part(), n_tasks);
    return {std::min(all.begin + done(), all.end), all.end};
  }

  /// A display of the tasks of this shard, on which those that are done count already.
  std::shared_ptr<lk::parallel::Progress> progress(const std::string& label, std::size_t n_tasks,
                                                   const std::string& unit) const {
    auto made = lk::parallel::invoke_progress(command_.name(), label, block_of(identity_.part(), n_tasks).size(), unit);
    if (done() > 0) made->go_on_from(done());
    return made;
  }

  /// Maps the tasks that are left and keeps what write(task number in the whole job, result, text) appends to text, any
  /// number of whole lines. tasks: those of the whole job, a random-access range. The invoker's
  /// first task is the first one that is left, so that errors and random streams are those of the whole job.
  /// Throws: interrupted where the stop token of the invoker was; as the invoker where a task failed; as journal.
  template <class Invoker, std::ranges::random_access_range Tasks, class Write>
  void run(Invoker& invoker, Tasks&& tasks, Write write) {
    n_tasks_ = static_cast<std::size_t>(std::ranges::distance(tasks));
    const task_block left = left_of(n_tasks_);
    const auto first = std::ranges::begin(tasks);
    using offset = std::ranges::range_difference_t<Tasks>;
    std::ranges::subrange some(first + static_cast<offset>(left.begin), first + static_cast<offset>(left.end));
    std::size_t task = left.begin;
    std::string text;
    if (journal_.n_records() == 0) journal_.append(header_);
    try {
      for (auto&& result : invoker.map(some)) {
        text.clear();
        write(task++, result, text);
        rows_ += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
        journal_.append(text);
      }
    } catch (const lk::parallel::cancelled&) {
      journal_.flush();
      throw interrupted("interrupted, " + std::to_string(done()) + " of " +
                        std::to_string(block_of(identity_.part(), n_tasks_).size()) + " tasks are kept");
    }
  }

  /// Gives the output its name, with a manifest. counts: what the program counted. Throws: as journal.
  void commit(json counts) {
    journal_.flush();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
    const run_report run{command_.words(), started_, std::time(nullptr), seconds, kept_, std::move(counts)};
    const output_facts output{journal_.target().filename().string(),
                              journal_.content(),
                              header_,
                              rows_,
                              block_of(identity_.part(), n_tasks_),
                              n_tasks_};
    journal_.commit(manifest_text(make_manifest(identity_, output, run)));
  }

 private:
  /// Lines there are already.
  std::size_t count_rows() const {
    std::ifstream part(journal_.target().string() + ".part", std::ios::binary);
    std::vector<char> buffer(1 << 18);
    std::size_t n = 0;
    while (part.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || part.gcount() > 0)
      n += static_cast<std::size_t>(std::count(buffer.begin(), buffer.begin() + part.gcount(), '\n'));
    return n;
  }

  command_line command_;
  job_identity identity_;
  std::string header_;
  lk::parallel::journal journal_;
  std::size_t kept_ = 0, rows_ = 0, n_tasks_ = 0;
  std::time_t started_ = std::time(nullptr);
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

} // namespace recsys
