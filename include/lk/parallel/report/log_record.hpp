// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/wire/cursor.hpp>

// One log record as it travels from a worker to the host: everything spdlog knows about it, and the worker. The relay
// sink encodes it, log_replay decodes it; it knows no sink, no logger, no transport.

namespace lk::parallel::report {

/// Text is std::string_view where the record is about to be encoded, std::string where it was decoded.
template <class Text> struct basic_log_record {
  int level = 0;                              ///< spdlog's number: 0 trace ... 5 critical, 6 off
  int worker = 0;                             ///< number of the worker, from 0
  std::uint64_t thread = 0;                   ///< kernel thread id, unique on the machine
  std::chrono::system_clock::time_point time; ///< when it was logged
  int line = 0;                               ///< 0: no source location
  Text file, function;
  Text logger; ///< name; empty: spdlog's default logger, unless it was renamed
  Text text;   ///< any bytes
};
using log_record = basic_log_record<std::string>;
using log_record_view = basic_log_record<std::string_view>;

inline constexpr int highest_level = 6;

inline void encode_log_record(const log_record_view& record, wire::writer& out) {
  const auto put_text = [&](std::string_view text) {
    out.put_length(text.size());
    out.write(text.data(), text.size());
  };
  out.put(static_cast<std::int32_t>(record.level));
  out.put(static_cast<std::int32_t>(record.worker));
  out.put(record.thread);
  out.put(static_cast<std::int64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(record.time.time_since_epoch()).count()));
  out.put(static_cast<std::int32_t>(record.line));
  put_text(record.file);
  put_text(record.function);
  put_text(record.logger);
  put_text(record.text);
}

/// Throws: wire_error where the bytes are not one whole record.
inline log_record decode_log_record(std::span<const std::byte> bytes) {
  wire::reader in(bytes);
  const auto get_text = [&] {
    std::string text(in.get_length(1), '\0');
    in.read(text.data(), text.size());
    return text;
  };
  log_record record;
  record.level = in.get<std::int32_t>();
  if (record.level < 0 || record.level > highest_level)
    throw wire_error("a log record has level " + std::to_string(record.level) + ", which spdlog does not have");
  record.worker = in.get<std::int32_t>();
  record.thread = in.get<std::uint64_t>();
  record.time = std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
      std::chrono::nanoseconds(in.get<std::int64_t>())));
  record.line = in.get<std::int32_t>();
  record.file = get_text();
  record.function = get_text();
  record.logger = get_text();
  record.text = get_text();
  in.expect_end();
  return record;
}

} // namespace lk::parallel::report
