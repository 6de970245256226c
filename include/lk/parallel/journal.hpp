// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lk/parallel/base/error.hpp> // IWYU pragma: export
#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/files/fingerprint.hpp> // IWYU pragma: export

// An output file that is written record by record, one record for each task in their order, and that survives the end
// of the process at any moment: the same program started again goes on where the last checkpoint was, and what comes
// out has the same bytes. docs/guide/batch-jobs.md tells how a job is built on it.

namespace lk::parallel {

/// Everything an output depends on, as names and values: inputs with their fingerprints, settings, seed, version. Not
/// what it does not depend on, such as the number of workers.
using journal_identity = std::vector<std::pair<std::string, std::string>>;

/// How a journal begins and how often it is safe.
struct journal_options {
  /// Start over, whatever is there of this or another job; a finished output stays until the commit.
  bool fresh = false;
  std::chrono::milliseconds checkpoint_interval{1000}; ///< how much work the end of the process may cost, at most
};

namespace front {

/// What a journal does; its members are explained there.
class journal_work {
 public:
  virtual ~journal_work() = default;
  virtual bool is_complete() const noexcept = 0;
  virtual std::uint64_t n_records() const noexcept = 0;
  virtual file_fingerprint content() const noexcept = 0;
  virtual const std::filesystem::path& target() const noexcept = 0;
  virtual void append(std::string_view record) = 0;
  virtual void flush() = 0;
  virtual void commit(std::string_view manifest) = 0;
};

LK_PARALLEL_FUNCTION std::unique_ptr<journal_work> open_journal(const std::filesystem::path& target,
                                                                journal_identity identity, journal_options options);

} // namespace front

/// Beside the output `OUT` it keeps `OUT.part`, the bytes so far, and `OUT.journal`, which tells whose they are and how
/// many of them count. The second stays when the output is complete, and says so to the next start.
/// Against the end of the process (SIGKILL of the whole group, out of memory) all records of the last checkpoint are
/// safe, and against the loss of power, too, where the disk keeps what fsync(2) promises.
/// Threads: one at a time. Fork: in a child it does nothing; the lock stays with the process that made it.
/// Lifetime: the destructor makes a checkpoint; that it could not is not told. Where there is no record, nothing is
/// left.
/// A limit on the size of files (ulimit -f) is an error only where SIGXFSZ is ignored; else it ends the process.
class journal {
 public:
  /// Goes on with the output, or begins it; a job that has no checkpoint yet may change. Records that were written
  /// after the last checkpoint are dropped, and so is everything from the first byte on that is not as it was written.
  /// Throws: config_error (a name that can be no output), journal_error (other_job, in_use, target_changed,
  /// foreign_file), resource_error. Blocks: while it reads what is there.
  explicit journal(const std::filesystem::path& target, journal_identity identity = {}, journal_options options = {})
      : work_(front::open_journal(target, std::move(identity), options)) {}
  journal(const journal&) = delete;
  journal& operator=(const journal&) = delete;

  /// Whether the output has its name and is whole: there is nothing to do.
  bool is_complete() const noexcept { return work_->is_complete(); }
  /// Complete records so far: go on with the task of this number.
  std::uint64_t n_records() const noexcept { return work_->n_records(); }
  /// The bytes so far, with their checksum.
  file_fingerprint content() const noexcept { return work_->content(); }
  /// The output, with all links followed.
  const std::filesystem::path& target() const noexcept { return work_->target(); }

  /// Adds a record, of any bytes; makes a checkpoint where the last one is older than the interval.
  /// Throws: resource_error, after which the record still counts: flush() again is all that is needed once there is
  /// room. usage_error where the output is complete.
  void append(std::string_view record) { work_->append(record); }

  /// Makes a checkpoint of all records so far. Blocks: until the disk has them. Throws: resource_error.
  void flush() { work_->flush(); }

  /// Gives the output its name, in place of a file that had it. A manifest, a text about the output, is in
  /// `OUT.manifest.json` before. After an accident on the way everything is as after a checkpoint: start again, append
  /// nothing, commit. Blocks: until the disk has it. Throws: resource_error.
  void commit(std::string_view manifest = {}) { work_->commit(manifest); }

 private:
  const std::unique_ptr<front::journal_work> work_;
};

} // namespace lk::parallel

#ifndef LK_PARALLEL_COMPILED
#include <lk/parallel/output_journal.hpp>
#endif
