// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <layers/layer_rule.hpp>
#include <layers/source_text.hpp>

// Holds an include/ folder against the layer rule. Each breach is one sentence that names the file; none means that
// the house stands as it was planned.

namespace lk::parallel::testing {

class tree_check {
 public:
  /// Reads every file below `root`, an include/ folder.
  explicit tree_check(const std::filesystem::path& root) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      const std::string name = entry.path().lexically_relative(root).generic_string();
      if (entry.is_directory()) {
        check_folder(name);
      } else {
        files_.emplace(name, source_text::read(entry.path()));
      }
    }
    for (const auto& [name, source] : files_) check_file(name, source);
    check_cycles();
    std::sort(breaches_.begin(), breaches_.end());
  }

  const std::vector<std::string>& breaches() const { return breaches_; }

  /// Every header, as it is named in #include, sorted.
  std::vector<std::string> headers() const {
    std::vector<std::string> names;
    for (const auto& [name, source] : files_) names.push_back(name);
    return names;
  }

 private:
  static constexpr const char* house = "lk/parallel/";
  static constexpr const char* door = "lk/parallel.hpp";
  static constexpr const char* linkage = "lk/parallel/base/linkage.hpp";
  static constexpr const char* definitions = "lk/parallel/definitions.hpp";

  /// What is below the house, or nothing for the door and for files outside.
  static std::string in_house(const std::string& name) { return name.starts_with(house) ? name.substr(12) : ""; }

  /// The room of a file, empty for the front and the door.
  static std::string room_of(const std::string& name) {
    const std::string inside = in_house(name);
    const std::size_t slash = inside.find('/');
    return slash == std::string::npos ? "" : inside.substr(0, slash);
  }

  void breach(const std::string& file, const std::string& sentence) { breaches_.push_back(file + ": " + sentence); }

  void check_folder(const std::string& name) {
    if (name == "lk" || name == "lk/parallel") return;
    const std::string inside = in_house(name);
    const std::string last = inside.substr(inside.rfind('/') + 1);
    if (empty_words().count(last)) {
      breach(name, "a folder is named after what is in it, never `" + last + "`");
    } else if (!rooms().count(inside)) {
      breach(name, "is no room of the house; a new room needs a row in the table of layers");
    }
  }

  void check_file(const std::string& name, const source_text& source) {
    const std::string stem = std::filesystem::path(name).stem().string();
    if (name != door && in_house(name).empty()) breach(name, "lies outside the house; only lk/parallel.hpp may");
    if (!name.ends_with(".hpp")) breach(name, "is no header (.hpp)");
    if (empty_words().count(stem)) breach(name, "a file is named after what it defines, never `" + stem + "`");
    if (source.lines.size() > most_lines) {
      breach(name, "has " + std::to_string(source.lines.size()) + " lines; above " + std::to_string(most_lines) +
                       " it is two headers");
    }
    if (source.lines.empty() || source.lines[0] != licence_line) {
      breach(name, std::string("does not begin with the line ") + licence_line);
    }
    if (source.lines.size() < 2 || source.lines[1] != "#pragma once") breach(name, "has no #pragma once in line 2");
    for (const include_line& include : source.includes) check_include(name, include);
    check_declarations(name, source);
    for (const secret& each : secrets()) check_secret(name, source, each);
  }

  void check_include(const std::string& name, const include_line& include) {
    if (include.quoted)
      return breach(name, "includes \"" + include.target + "\" in quotes; own headers go by <lk/...>");
    if (!include.target.starts_with("lk/")) return;
    if (!files_.count(include.target)) return breach(name, "includes <" + include.target + ">, which does not exist");
    const std::string from = room_of(name), to = room_of(include.target);
    if (include.target == door) return breach(name, "includes the door, lk/parallel.hpp; only users do");
    if (from.empty() || from == to) return;
    if (to.empty()) return breach(name, "a room may not include the front: <" + include.target + ">");
    const auto allowed = rooms().find(from);
    if (allowed != rooms().end() && !allowed->second.count(to)) {
      breach(name, "room " + from + " may not include room " + to + ": <" + include.target + ">");
    }
  }

  /// Who declares what is compiled once names in the last lines who defines it, in the same room.
  void check_declarations(const std::string& name, const source_text& source) {
    const bool declares =
        name != linkage && std::any_of(source.identifiers.begin(), source.identifiers.end(),
                                       [](const identifier& word) { return word.name == "LK_PARALLEL_FUNCTION"; });
    bool tells = false;
    for (const include_line& include : source.includes) {
      if (!include.defines || !files_.count(include.target)) continue;
      tells = true;
      if (room_of(name) != room_of(include.target))
        breach(name, "is defined in another room: <" + include.target + ">");
      else if (!includes(include.target, name))
        breach(name, "is not included by <" + include.target + ">, which is to define what it declares");
      if (files_.count(definitions) && !includes(definitions, include.target))
        breach(definitions, "leaves out <" + include.target + ">");
    }
    if (declares && !tells) breach(name, "declares a LK_PARALLEL_FUNCTION and does not say where it is defined");
  }

  bool includes(const std::string& name, const std::string& target) const {
    const auto& all = files_.at(name).includes;
    return std::any_of(all.begin(), all.end(), [&](const include_line& one) { return one.target == target; });
  }

  void check_secret(const std::string& name, const source_text& source, const secret& secret) {
    if (room_of(name) == secret.place || in_house(name) == secret.place) {
      if (secret.what == "fork") check_one_forker(name, source, secret);
      return;
    }
    const auto tell = [&](const std::string& found) {
      breach(name, "names " + found + "; only " + secret.place + " may know " + secret.what);
    };
    for (const include_line& include : source.includes) {
      for (const std::string& start : secret.includes) {
        if (include.target.starts_with(start)) tell("<" + include.target + ">");
      }
    }
    for (const identifier& word : source.identifiers) {
      if (names(word, secret)) return tell("`" + word.name + "`");
    }
  }

  static bool names(const identifier& word, const secret& secret) {
    const auto holds = [&](const std::vector<std::string>& list) {
      return std::find(list.begin(), list.end(), word.name) != list.end();
    };
    return holds(secret.words) || (word.called && holds(secret.calls));
  }

  /// Fork is called in one file, not just in one room.
  void check_one_forker(const std::string& name, const source_text& source, const secret& secret) {
    const auto forks = [&](const identifier& word) { return names(word, secret); };
    if (std::none_of(source.identifiers.begin(), source.identifiers.end(), forks)) return;
    if (!forker_.empty()) breach(name, "calls fork, and so does " + forker_ + "; one file does");
    forker_ = name;
  }

  void check_cycles() {
    std::map<std::string, int> seen; // 1: being visited, 2: done
    for (const auto& [name, source] : files_) visit(name, seen);
  }

  void visit(const std::string& name, std::map<std::string, int>& seen) {
    if (seen[name] != 0) return;
    seen[name] = 1;
    for (const include_line& include : files_.at(name).includes) {
      if (include.defines || !files_.count(include.target)) continue;
      if (seen[include.target] == 1) breach(name, "includes <" + include.target + "> in a circle");
      visit(include.target, seen);
    }
    seen[name] = 2;
  }

  std::map<std::string, source_text> files_;
  std::vector<std::string> breaches_;
  std::string forker_;
};

} // namespace lk::parallel::testing
