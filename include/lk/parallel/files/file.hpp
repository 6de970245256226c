// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/base/fault_point.hpp>
#include <lk/parallel/base/posix.hpp>
#include <lk/parallel/base/unique_fd.hpp>

// A file that is read and written at given places. Every failure names the file and says what to do. The fault points
// stand where the end of the process leaves the disk in a different state.

namespace lk::parallel::files {

inline const char* remedy_for(int errno_value) noexcept {
  switch (errno_value) {
  case ENOSPC:
  case EDQUOT:
    return "make room (df, quota), then start it again: what was saved before is kept";
  case EFBIG:
    return "raise the limit for the size of a file (ulimit -f), or use a file system that takes larger ones, then "
           "start it again: what was saved before is kept";
  case ENOENT:
  case ENOTDIR:
    return "make the folder first, or name another one";
  case EACCES:
  case EPERM:
  case EROFS:
    return "name a folder in which you may make files, or have its permissions changed";
  case EISDIR:
    return "name a file";
  case ELOOP:
    return "it is a link, which somebody else may have made: remove it";
  case EMFILE:
  case ENFILE:
    return base::remedy_for_descriptors;
  case ENOLCK:
    return "use a file system that has locks (fcntl)";
  default:
    return "look after the file system, then start it again";
  }
}

/// Throws: resource_error: "write /data/out.csv.part failed: No space left on device; make room ...".
[[noreturn, gnu::cold]] inline void fail(const char* call, const std::filesystem::path& path, int errno_value) {
  throw resource_error(std::string(call) + " " + path.string(), errno_value, remedy_for(errno_value));
}

/// Calls fn until it does not fail with EINTR; hands back its value. Throws: resource_error where it still fails.
template <class Fn> auto checked(const char* call, const std::filesystem::path& path, Fn&& fn) {
  return base::check([&](int problem) { fail(call, path, problem); }, std::forward<Fn>(fn));
}

/// Throws: resource_error. Every member.
class file {
 public:
  file() = default;
  file(std::filesystem::path path, int flags) : path_(std::move(path)) {
    fd_ = base::above_stdio(base::unique_fd(
        checked("open", path_, [&] { return ::open(path_.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0666); })));
  }

  const std::filesystem::path& path() const noexcept { return path_; }
  void close() noexcept { fd_.reset(); }

  std::uint64_t size() const {
    struct stat facts {};
    checked("fstat", path_, [&] { return ::fstat(fd_.get(), &facts); });
    return static_cast<std::uint64_t>(facts.st_size);
  }

  /// Whether the file still has the name that it was opened by.
  bool has_its_name() const {
    struct stat own {
    }, named{};
    checked("fstat", path_, [&] { return ::fstat(fd_.get(), &own); });
    return ::stat(path_.c_str(), &named) == 0 && named.st_dev == own.st_dev && named.st_ino == own.st_ino;
  }

  /// Fills the buffer from `at` on and hands back what there is of it: less at the end of the file only.
  std::string_view read(std::uint64_t at, std::string& buffer) const {
    std::size_t done = 0;
    while (done < buffer.size()) {
      const ssize_t n = checked("read", path_, [&] {
        return ::pread(fd_.get(), buffer.data() + done, buffer.size() - done, static_cast<off_t>(at + done));
      });
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return std::string_view(buffer).substr(0, done);
  }

  /// After an exception any part of the bytes may have been written; the same call again is all that is needed.
  void write(std::uint64_t at, std::string_view bytes) {
    while (!bytes.empty()) {
      std::size_t some = bytes.size();
      LK_PARALLEL_FAULT_POINT("write", some = (some + 1) / 2);
      const ssize_t n =
          checked("write", path_, [&] { return ::pwrite(fd_.get(), bytes.data(), some, static_cast<off_t>(at)); });
      at += static_cast<std::uint64_t>(n);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  void truncate(std::uint64_t size) {
    LK_PARALLEL_FAULT_POINT("truncate");
    checked("truncate", path_, [&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); });
  }

  /// Blocks: until the disk has the content.
  void sync() {
    LK_PARALLEL_FAULT_POINT("sync");
    checked("sync", path_, [&] { return ::fdatasync(fd_.get()); });
  }

  /// Locks the file for this process, which no fork inherits, until it closes any descriptor of the file. Otherwise
  /// hands back who has it, as the kernel numbers it: 0 or less where that process is on another machine.
  std::optional<pid_t> lock() {
    struct flock all {};
    all.l_type = F_WRLCK;
    all.l_whence = SEEK_SET;
    if (base::retry_eintr([&] { return ::fcntl(fd_.get(), F_SETLK, &all); }) == 0) return std::nullopt;
    struct flock holder = all;
    checked("lock", path_, [&] { return ::fcntl(fd_.get(), F_GETLK, &holder); });
    if (holder.l_type != F_UNLCK) return holder.l_pid;
    checked("lock", path_, [&] { return ::fcntl(fd_.get(), F_SETLK, &all); });
    return std::nullopt;
  }

 private:
  std::filesystem::path path_;
  base::unique_fd fd_;
};

/// Blocks: until the disk has the names in the folder. Throws: resource_error.
inline void sync_folder(const std::filesystem::path& folder) {
  const auto failed = [&](int problem) {
    if (problem != EINVAL) fail("sync", folder, problem); // file systems that cannot: their names need none
  };
  const base::unique_fd fd(
      base::check(failed, [&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  LK_PARALLEL_FAULT_POINT("sync folder");
  base::check(failed, [&] { return ::fsync(fd.get()); });
}

/// Gives a file, which must be on the disk, another name in one step, in place of the file that had it.
/// Blocks: until the disk has the name. Throws: resource_error.
inline void give_name(const std::filesystem::path& from, const std::filesystem::path& to) {
  LK_PARALLEL_FAULT_POINT("rename");
  checked("rename to", to, [&] { return std::rename(from.c_str(), to.c_str()); });
  sync_folder(to.parent_path());
}

/// Throws: resource_error where the file is still there.
inline void remove(const std::filesystem::path& path) {
  LK_PARALLEL_FAULT_POINT("remove");
  checked("remove", path, [&] { return ::unlink(path.c_str()); });
}

/// Writes a whole small file: afterwards, and after any accident, the old or the new content is there.
/// Throws: resource_error.
inline void write_whole(const std::filesystem::path& path, std::string_view content) {
  const std::filesystem::path fresh = path.string() + ".new";
  file written(fresh, O_WRONLY | O_CREAT | O_TRUNC);
  written.write(0, content);
  written.sync();
  give_name(fresh, path);
}

} // namespace lk::parallel::files
