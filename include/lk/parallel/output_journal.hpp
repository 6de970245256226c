// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/linkage.hpp>
#include <lk/parallel/files/crc64.hpp>
#include <lk/parallel/files/file.hpp>
#include <lk/parallel/files/file_checksum.hpp>
#include <lk/parallel/files/journal_text.hpp>
#include <lk/parallel/files/output_path.hpp>
#include <lk/parallel/journal.hpp>

// What a journal does with its three files; journal.hpp says what it promises.

namespace lk::parallel::front {

/// The outputs that journals of this process write: the lock on a file keeps other processes out, not other threads.
class claimed_output {
 public:
  /// Throws: journal_error.
  explicit claimed_output(std::string path) : claim_(::getpid(), std::move(path)) {
    const std::lock_guard hold(guard());
    if (!all().insert(claim_).second)
      throw journal_error(journal_refusal::in_use, claim_.second,
                          claim_.second + ": another journal of this process is writing it");
  }
  claimed_output(const claimed_output&) = delete;
  claimed_output& operator=(const claimed_output&) = delete;
  ~claimed_output() {
    const std::lock_guard hold(guard());
    all().erase(claim_);
  }

 private:
  using claim = std::pair<pid_t, std::string>; ///< a fork inherits the claims, but they are not its own

  static std::mutex& guard() {
    static std::mutex only;
    return only;
  }
  static std::set<claim>& all() {
    static std::set<claim> only;
    return only;
  }

  claim claim_;
};

class output_journal final : public journal_work {
 public:
  output_journal(const std::filesystem::path& target, journal_identity identity, journal_options options)
      : target_(files::output_path(target))
      , claim_(target_.string())
      , identity_(std::move(identity))
      , interval_(options.checkpoint_interval) {
    open_and_lock();
    std::string text(log_.size(), '\0');
    text.resize(log_.read(0, text).size());
    if (!files::may_be_journal(text)) refuse_foreign_file();
    const auto found = files::read_journal(text);
    if (found && !options.fresh) {
      if (!found->checkpoints.empty()) refuse_other_job(found->job);
      go_on(*found);
    } else {
      start_over();
    }
  }
  output_journal(const output_journal&) = delete;
  output_journal& operator=(const output_journal&) = delete;

  ~output_journal() override {
    if (::getpid() != owner_ || complete_) return;
    try {
      flush();
      if (now_.records > 0) return;
      files::remove(part_.path());
      files::remove(log_.path());
    } catch (const error&) { // the checkpoint before is still there
    }
  }

  bool is_complete() const noexcept override { return complete_; }
  std::uint64_t n_records() const noexcept override { return now_.records; }
  file_fingerprint content() const noexcept override { return {now_.content.bytes, sum_.value()}; }
  const std::filesystem::path& target() const noexcept override { return target_; }

  void append(std::string_view record) override {
    if (complete_) throw usage_error("journal::append: " + target_.string() + " is complete");
    waiting_ += record;
    sum_.add(record);
    now_.content.bytes += record.size();
    ++now_.records;
    if (clock::now() - last_checkpoint_ >= interval_)
      flush();
    else if (waiting_.size() >= files::piece_bytes)
      write_waiting();
  }

  void flush() override {
    if (complete_) return;
    write_waiting();
    if (now_.records != saved_records_) {
      part_.sync();
      write_line(false);
      saved_records_ = now_.records;
    }
    last_checkpoint_ = clock::now();
  }

  void commit(std::string_view manifest) override {
    if (complete_) return;
    flush();
    write_line(true);
    if (!manifest.empty()) files::write_whole(files::beside(target_, ".manifest.json"), manifest);
    files::give_name(part_.path(), target_);
    part_.close();
    complete_ = true;
  }

 private:
  using clock = std::chrono::steady_clock;

  /// Once more where the journal before has just taken the file away.
  void open_and_lock() {
    do {
      log_ = files::file(files::beside(target_, ".journal"), O_RDWR | O_CREAT | O_NOFOLLOW);
      if (const auto holder = log_.lock())
        throw journal_error(journal_refusal::in_use, target_.string(),
                            target_.string() + ": process " + std::to_string(*holder) +
                                " is writing it; wait until it has ended, or name another output");
    } while (!log_.has_its_name());
  }

  [[noreturn]] void refuse_foreign_file() const {
    throw journal_error(journal_refusal::foreign_file, target_.string(),
                        log_.path().string() +
                            " is not a journal of this version; move it away, or name another output");
  }

  void refuse_other_job(const journal_identity& found) const {
    std::vector<std::string> changed;
    std::string sentence;
    for (const files::difference& one : files::differences(found, identity_)) {
      sentence += (changed.empty() ? " " : "; ") + one.name + " was " + one.before + " and is " + one.now;
      changed.push_back(one.name);
    }
    if (changed.empty()) return;
    throw journal_error(journal_refusal::other_job, target_.string(),
                        target_.string() + " belongs to a job with other settings or inputs:" + sentence +
                            ". Give it as it was, name another output, or start over (fresh)",
                        std::move(changed));
  }

  void start_over() {
    log_.truncate(0);
    const std::string header = files::header_text(identity_);
    log_.write(0, header);
    log_.sync();
    header_.add(header);
    log_end_ = header.size();
    part_ = files::file(part_path(), O_RDWR | O_CREAT | O_NOFOLLOW);
    part_.truncate(0);
    files::sync_folder(target_.parent_path());
  }

  void go_on(const files::journal_content& found) {
    if (found.checkpoints.empty()) return start_over();
    if (!std::filesystem::exists(part_path())) {
      const files::checkpoint& last = found.checkpoints.back().claim;
      return last.is_last ? accept_complete(last) : start_over();
    }
    header_ = found.header;
    part_ = files::file(part_path(), O_RDWR | O_NOFOLLOW);
    log_end_ = found.header_end;
    for (const auto& [claim, end] : found.checkpoints) {
      if (claim.is_last || !part_has(claim)) break; // a commit that was cut short begins again
      now_ = claim;
      log_end_ = end;
    }
    saved_records_ = now_.records;
    written_ = now_.content.bytes;
    part_.truncate(written_);
    log_.truncate(log_end_);
  }

  /// Whether the part, which is known up to the checkpoint before, has what the next claims; goes on with the sum.
  bool part_has(const files::checkpoint& claim) {
    if (claim.records < now_.records || claim.content.bytes < now_.content.bytes) return false;
    files::crc64 sum = sum_;
    std::string buffer;
    for (std::uint64_t at = now_.content.bytes; at < claim.content.bytes;) {
      buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(claim.content.bytes - at, files::piece_bytes)));
      const std::string_view piece = part_.read(at, buffer);
      if (piece.empty()) return false;
      sum.add(piece);
      at += piece.size();
    }
    if (sum.value() != claim.content.crc64) return false;
    sum_ = sum;
    return true;
  }

  void accept_complete(const files::checkpoint& claim) {
    if (!std::filesystem::exists(target_)) return start_over(); // somebody wants it made again
    if (files::fingerprint_with(target_, sum_) != claim.content)
      throw journal_error(journal_refusal::target_changed, target_.string(),
                          target_.string() + " was complete and has been changed since; move it away, name another "
                                             "output, or start over (fresh)");
    now_ = claim;
    complete_ = true;
  }

  void write_waiting() {
    part_.write(written_, waiting_);
    written_ += waiting_.size();
    waiting_.clear();
  }

  /// The next line of the journal: what is true now.
  void write_line(bool is_last) {
    const std::string line = files::checkpoint_text({now_.records, content(), is_last}, header_);
    log_.write(log_end_, line);
    log_.sync();
    log_end_ += line.size();
  }

  std::filesystem::path part_path() const { return files::beside(target_, ".part"); }

  std::filesystem::path target_;
  claimed_output claim_;
  journal_identity identity_;
  clock::duration interval_;
  files::file log_, part_;

  files::crc64 header_, sum_; ///< checksums of the header and of all records so far
  files::checkpoint now_;
  std::string waiting_;             ///< records that are not in the part yet
  std::uint64_t written_ = 0;       ///< bytes that are
  std::uint64_t log_end_ = 0;       ///< where the next line goes
  std::uint64_t saved_records_ = 0; ///< of the last checkpoint
  clock::time_point last_checkpoint_ = clock::now();
  bool complete_ = false;
  pid_t owner_ = ::getpid();
};

LK_PARALLEL_DEFINITION std::unique_ptr<journal_work> open_journal(const std::filesystem::path& target,
                                                                  journal_identity identity, journal_options options) {
  return std::make_unique<output_journal>(target, std::move(identity), options);
}

} // namespace lk::parallel::front
