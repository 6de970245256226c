// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// A C++ source as the layer check sees it: its lines, what it includes, and its identifiers without those in comments
// and literals.

namespace lk::parallel::testing {

struct include_line {
  std::string target; ///< what stands between the brackets
  bool quoted = false;
  bool defines = false; ///< stands below #ifndef LK_PARALLEL_COMPILED: what is declared here is defined there
};

struct identifier {
  std::string name;
  bool called = false; ///< a `(` follows
};

struct source_text {
  std::vector<std::string> lines;
  std::vector<include_line> includes;
  std::vector<identifier> identifiers;

  static source_text parse(const std::string& text);
  static source_text read(const std::filesystem::path& file);
};

namespace source_text_parts {

/// Takes a literal that starts at `at` (a quote) and hands back where it ends. Raw strings end at their own delimiter.
inline std::size_t after_literal(const std::string& text, std::size_t at) {
  if (text[at] == '"' && at > 0 && text[at - 1] == 'R') {
    const std::string ending = ")" + text.substr(at + 1, text.find('(', at) - at - 1) + "\"";
    const std::size_t end = text.find(ending, at);
    return end == std::string::npos ? text.size() : end + ending.size();
  }
  const char quote = text[at++];
  while (at < text.size() && text[at] != quote && text[at] != '\n') at += text[at] == '\\' ? 2 : 1;
  return std::min(at + 1, text.size());
}

inline bool is_name_part(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

/// The text with comments and literals blanked out; a `'` between digits is no quote. Lines stay lines.
inline std::string code_of(const std::string& text) {
  std::string code;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    if (text.compare(at, 2, "//") == 0) {
      end = std::min(text.find('\n', at), text.size());
    } else if (text.compare(at, 2, "/*") == 0) {
      end = std::min(text.find("*/", at + 2), text.size() - 2) + 2;
    } else if (text[at] == '"' || (text[at] == '\'' && (at == 0 || !is_name_part(text[at - 1])))) {
      end = after_literal(text, at);
    }
    if (end == at) {
      code += text[at++];
    } else {
      for (; at < end; ++at) code += text[at] == '\n' ? '\n' : ' ';
    }
  }
  return code;
}

inline std::vector<identifier> identifiers_in(const std::string& code) {
  std::vector<identifier> found;
  for (std::size_t at = 0; at < code.size();) {
    std::size_t end = at;
    while (end < code.size() && is_name_part(code[end])) ++end;
    if (end == at) {
      ++at;
      continue;
    }
    const std::size_t next = code.find_first_not_of(" \n", end);
    found.push_back({code.substr(at, end - at), next != std::string::npos && code[next] == '('});
    at = end;
  }
  return found;
}

} // namespace source_text_parts

inline source_text source_text::parse(const std::string& text) {
  source_text source;
  std::istringstream in(text);
  std::string code_text;
  bool below_compiled = false;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string directive, target;
    words >> directive;
    if (line == "#ifndef LK_PARALLEL_COMPILED") below_compiled = true;
    if (line == "#endif") below_compiled = false;
    if (directive == "#include" && std::getline(words >> std::ws, target) && target.size() > 2) {
      const std::size_t end = target.find(target[0] == '<' ? '>' : '"', 1);
      source.includes.push_back({target.substr(1, end - 1), target[0] == '"', below_compiled});
    } else {
      code_text += line;
    }
    code_text += '\n';
    source.lines.push_back(line);
  }
  source.identifiers = source_text_parts::identifiers_in(source_text_parts::code_of(code_text));
  return source;
}

inline source_text source_text::read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  std::ostringstream text;
  text << in.rdbuf();
  return parse(text.str());
}

} // namespace lk::parallel::testing
