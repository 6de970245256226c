// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <lk/parallel/base/error.hpp>
#include <lk/parallel/config/placement.hpp>

// The environment, read strictly. This is the only file of the library that calls getenv.

namespace lk::parallel::config {

/// The knobs that the environment sets; unset members fall back to the defaults.
struct environment_knobs {
  std::optional<int> processes = {}, threads = {}, backend_threads = {}, child_threads = {};
  bool debug = false; ///< LK_DEBUG: initialize() logs what it found
};

/// What the variable holds, without the blanks around it; nothing where it is unset, empty or blank.
/// Threads: not while another thread changes the environment (getenv(3)).
inline std::optional<std::string> read_environment_text(const char* name) {
  const char* const raw = std::getenv(name);
  if (raw == nullptr) return std::nullopt;
  constexpr std::string_view blanks = " \t\n\v\f\r";
  const std::string_view text(raw);
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return std::nullopt;
  return std::string(text.substr(first, text.find_last_not_of(blanks) - first + 1));
}

[[noreturn, gnu::cold]] inline void throw_bad_count(const std::string& name, const std::string& text,
                                                    bool minus_one_allowed) {
  throw config_error(name, text,
                     minus_one_allowed ? "give a whole number from 1 up, or -1 to leave the backends alone"
                                       : "give a whole number from 1 up");
}

/// The knob's own rule, for every source of a knob: at least 1, or -1 where that has a meaning.
constexpr bool is_count(int value, bool minus_one_allowed) { return value >= 1 || (minus_one_allowed && value == -1); }

/// A whole number from 1 up (or -1, where allowed); nothing where the variable is unset, empty or blank.
/// Throws: config_error naming the variable and its text.
inline std::optional<int> read_environment_int(const char* name, bool minus_one_allowed) {
  const std::optional<std::string> text = read_environment_text(name);
  if (!text) return std::nullopt;
  int value = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, problem] = std::from_chars(text->data(), end, value);
  if (problem != std::errc{} || stop != end || !is_count(value, minus_one_allowed)) {
    throw_bad_count(name, std::getenv(name), minus_one_allowed);
  }
  return value;
}

/// 1 or true, 0 or false; false where the variable is unset, empty or blank.
/// Throws: config_error naming the variable and its text.
inline bool read_environment_switch(const char* name) {
  const std::optional<std::string> text = read_environment_text(name);
  if (!text || text == "0" || text == "false") return false;
  if (text != "1" && text != "true") throw config_error(name, std::getenv(name), "give 1 for yes, or 0 for no");
  return true;
}

/// One of the words of `placement`; nothing where the variable is unset, empty or blank.
/// Throws: config_error naming the variable, its text and the words.
inline std::optional<placement> read_environment_placement(const char* name) {
  const std::optional<std::string> text = read_environment_text(name);
  if (!text) return std::nullopt;
  const std::optional<placement> mode = placement_called(*text);
  if (!mode) throw config_error(name, std::getenv(name), "give one of the words none, spread, compact, numa");
  return mode;
}

/// All four knobs and LK_DEBUG. Throws: config_error.
inline environment_knobs read_environment() {
  return {.processes = read_environment_int("LK_NUM_PROCS", false),
          .threads = read_environment_int("LK_NUM_THREADS", false),
          .backend_threads = read_environment_int("LK_NUM_BACKEND_THREADS", true),
          .child_threads = read_environment_int("LK_NUM_CHILD_THREADS", true),
          .debug = read_environment_switch("LK_DEBUG")};
}

/// LK_CORE: a worker that crashes may write a core file.
inline bool workers_may_dump_core() { return read_environment_text("LK_CORE") == "1"; }

/// Whether glibc's malloc was told to ask for huge pages. Source: the glibc manual, "glibc.malloc.hugetlb".
inline bool heap_uses_huge_pages() {
  const std::string tunables = read_environment_text("GLIBC_TUNABLES").value_or("");
  constexpr std::string_view name = "glibc.malloc.hugetlb=";
  const std::size_t at = tunables.find(name);
  return at != std::string::npos && at + name.size() < tunables.size() && tunables[at + name.size()] != '0';
}

} // namespace lk::parallel::config
