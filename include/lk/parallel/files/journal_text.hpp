// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lk/parallel/files/crc64.hpp>
#include <lk/parallel/files/file_checksum.hpp>
#include <lk/parallel/files/fingerprint.hpp>

// The text of a journal, made and read; nothing here touches a file.
//
//   lk-parallel journal 1                                     format
//   job seed 1                                                identity: name and value, spaces and the like as %20
//   begin 1 0123456789abcdef                                  number of `job` lines, checksum of all lines above
//   checkpoint 500 20480 0123456789abcdef 0123456789abcdef    records, bytes, checksum of the bytes, checksum of this
//   line complete 900 36864 0123456789abcdef 0123456789abcdef      the same, as the last word
//
// The checksum of a line goes on from that of the header, so that no line of one job passes in the journal of another.
// What follows the first line that is not whole does not count.

namespace lk::parallel::files {

using identity = std::vector<std::pair<std::string, std::string>>;

/// An entry that two identities do not have in common; a value in quotes, or "not there".
struct difference {
  std::string name, before, now;
};

inline std::vector<difference> differences(const identity& before, const identity& now) {
  const auto value_in = [](const identity& all, const std::string& name) -> std::string {
    for (const auto& entry : all)
      if (entry.first == name) return '"' + entry.second + '"';
    return "not there";
  };
  std::vector<difference> found;
  const auto compare = [&](const std::string& name) {
    difference one{name, value_in(before, name), value_in(now, name)};
    for (const difference& known : found)
      if (known.name == name) return;
    if (one.before != one.now) found.push_back(std::move(one));
  };
  for (const auto& entry : now) compare(entry.first);
  for (const auto& entry : before) compare(entry.first);
  return found;
}

/// A claim about the file: its first `bytes` have this checksum and make `records` records.
struct checkpoint {
  std::uint64_t records = 0;
  file_fingerprint content = {0, crc64_of("")};
  bool is_last = false; ///< the output is complete

  friend bool operator==(const checkpoint&, const checkpoint&) = default;
};

inline constexpr std::string_view journal_first_line = "lk-parallel journal 1\n";

inline std::string escaped(std::string_view text) {
  std::string made;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte != 0x7f && c != '%')
      made += c;
    else
      (made += '%') += hexadecimal(byte).substr(14);
  }
  return made;
}

inline std::string unescaped(std::string_view text) {
  std::string made;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned code = 0;
    if (text[at] == '%' && at + 2 < text.size() &&
        std::from_chars(text.data() + at + 1, text.data() + at + 3, code, 16).ptr == text.data() + at + 3) {
      made += static_cast<char>(code);
      at += 2;
    } else {
      made += text[at];
    }
  }
  return made;
}

inline std::string header_text(const identity& of) {
  std::string text(journal_first_line);
  for (const auto& [name, value] : of) text += "job " + escaped(name) + ' ' + escaped(value) + '\n';
  const std::uint64_t sum = crc64_of(text);
  return text + "begin " + std::to_string(of.size()) + ' ' + hexadecimal(sum) + '\n';
}

/// One line. header: the checksum of the whole header, to go on from.
inline std::string checkpoint_text(const checkpoint& at, crc64 header) {
  std::string text = std::string(at.is_last ? "complete " : "checkpoint ") + std::to_string(at.records) + ' ' +
                     std::to_string(at.content.bytes) + ' ' + hexadecimal(at.content.crc64) + ' ';
  header.add(text);
  return text + hexadecimal(header.value()) + '\n';
}

struct journal_content {
  identity job;
  crc64 header; ///< its checksum
  struct entry {
    checkpoint claim;
    std::size_t end; ///< of its line in the text
  };
  std::size_t header_end = 0;
  std::vector<entry> checkpoints;
};

/// Takes words and lines off the front of a text.
class text_reader {
 public:
  explicit text_reader(std::string_view text) : text_(text) {}

  /// The next line without its end; nothing where it has none.
  std::optional<std::string_view> line() { return until('\n'); }
  /// The text up to a space, which goes as well; all that is left where there is none.
  std::string_view word() {
    const auto found = until(' ');
    return found ? *found : std::exchange(text_, {});
  }
  std::optional<std::uint64_t> number(int base = 10) {
    const std::string_view digits = word();
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (problem != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value;
  }
  std::string_view rest() const { return text_; }

 private:
  std::optional<std::string_view> until(char end) {
    const std::size_t at = text_.find(end);
    if (at == text_.npos) return std::nullopt;
    const std::string_view found = text_.substr(0, at);
    text_.remove_prefix(at + 1);
    return found;
  }

  std::string_view text_;
};

/// The claim of a line, which is given without its end; nothing where its own checksum says that it is not whole.
inline std::optional<checkpoint> read_checkpoint(std::string_view line, const crc64& header) {
  text_reader words(line);
  const bool is_last = words.word() == "complete";
  const auto records = words.number();
  const auto bytes = words.number();
  const auto sum = words.number(16);
  if (!records || !bytes || !sum) return std::nullopt;
  const checkpoint claim{*records, {*bytes, *sum}, is_last};
  if (std::string(line) + '\n' != checkpoint_text(claim, header)) return std::nullopt;
  return claim;
}

/// Nothing where the header is not whole: nothing has been recorded then.
inline std::optional<journal_content> read_journal(std::string_view text) {
  if (!text.starts_with(journal_first_line)) return std::nullopt;
  journal_content found;
  text_reader lines(text);
  auto line = lines.line();
  while ((line = lines.line()) && line->starts_with("job ")) {
    text_reader words(line->substr(4));
    std::string name = unescaped(words.word());
    found.job.emplace_back(std::move(name), unescaped(words.rest()));
  }
  found.header_end = text.size() - lines.rest().size();
  const std::string_view header = text.substr(0, found.header_end);
  if (!line || header != header_text(found.job)) return std::nullopt;
  found.header.add(header);
  while ((line = lines.line())) {
    const auto claim = read_checkpoint(*line, found.header);
    if (!claim) break;
    found.checkpoints.push_back({*claim, text.size() - lines.rest().size()});
  }
  return found;
}

/// Whether a file with this text may be written over: a journal, or the beginning of one that was cut short.
inline bool may_be_journal(std::string_view text) {
  return text.starts_with(journal_first_line) || journal_first_line.starts_with(text);
}

} // namespace lk::parallel::files
