// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

// A file that is there whole or not at all: written under a temporary name in the same folder, and given its own name
// by commit(). Without a commit, the destructor takes it away.

namespace recsys {

class output_file {
 public:
  /// Throws: std::system_error where the folder cannot be written, std::invalid_argument where the path is no file.
  explicit output_file(const std::filesystem::path& path) : target_(path) {
    if (std::filesystem::exists(path)) {
      if (!std::filesystem::is_regular_file(path))
        throw std::invalid_argument(path.string() + " exists and is not a regular file");
      target_ = std::filesystem::canonical(path); // the file that a link stands for is replaced, not the link
    }
    temporary_ = target_.string() + ".XXXXXX";
    fd_ = ::mkostemp(temporary_.data(), O_CLOEXEC);
    if (fd_ < 0) fail("cannot create a file beside");
    const mode_t mask = ::umask(0);
    ::umask(mask);
    ::fchmod(fd_, 0666 & ~mask);
    buffer_.reserve(buffer_size + 4096);
  }
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;
  ~output_file() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(temporary_.c_str());
  }

  output_file& operator<<(std::string_view text) {
    buffer_ += text;
    if (buffer_.size() >= buffer_size) write_buffer();
    return *this;
  }

  /// Numbers as the shortest text that reads back as the same number.
  template <class Number>
  requires(std::integral<Number> && !std::same_as<Number, char>) || std::floating_point<Number> output_file&
                                                                    operator<<(Number number) {
    char text[64];
    return *this << std::string_view(text, std::to_chars(text, text + sizeof text, number).ptr);
  }

  /// Makes the file durable and gives it its name. Blocks: until the disk has it. Throws: std::system_error.
  void commit() {
    write_buffer();
    if (::fsync(fd_) != 0) fail("cannot write");
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot rename a finished file to");
    ::close(std::exchange(fd_, -1));
  }

 private:
  static constexpr std::size_t buffer_size = 1 << 18;

  void write_buffer() {
    for (std::string_view left = buffer_; !left.empty();) {
      const ssize_t n = ::write(fd_, left.data(), left.size());
      if (n < 0 && errno != EINTR) fail("cannot write");
      if (n > 0) left.remove_prefix(static_cast<std::size_t>(n));
    }
    buffer_.clear();
  }

  [[noreturn]] void fail(const char* what) const {
    throw std::system_error(errno, std::generic_category(), std::string(what) + " " + target_.string());
  }

  std::filesystem::path target_;
  std::string temporary_;
  std::string buffer_;
  int fd_ = -1;
};

} // namespace recsys
