// lk-parallel | SPDX-License-Identifier: MIT
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <layers/check_tree.hpp>
#include <support/catch.hpp>
#include <support/temporary_folder.hpp>

using namespace lk::parallel::testing;
namespace fs = std::filesystem;

namespace {

const fs::path project = LK_PARALLEL_SOURCE_DIR;

std::string all(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) text += sentence + '\n';
  return text;
}

/// A small house in a temporary folder that keeps every rule until a test breaks one.
class fixture_tree {
 public:
  fixture_tree() {
    add("lk/parallel.hpp", "#include <lk/parallel/initialize.hpp>\n");
    add("lk/parallel/initialize.hpp", "#include <lk/parallel/threads/arena.hpp>\n");
    add("lk/parallel/base/error.hpp", "// a comment may say fork(), tbb::task_arena and getenv(\"X\")\n");
    add("lk/parallel/config/environment.hpp", "inline auto x = getenv(\"HOME\");\n");
    add("lk/parallel/threads/arena.hpp", "#include <lk/parallel/base/error.hpp>\n#include <oneapi/tbb/task_arena.h>\n");
    add("lk/parallel/process/zygote.hpp", "inline int pid = ::fork();\n");
  }

  void add(const std::string& name, const std::string& body) {
    write(name, std::string(licence_line) + "\n#pragma once\n" + body);
  }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_.path() / name).parent_path());
    std::ofstream(folder_.path() / name) << text;
  }
  std::string breaches() const { return all(tree_check(folder_.path()).breaches()); }

 private:
  temporary_folder folder_;
};

std::string read(const fs::path& file) {
  std::string text;
  for (const std::string& line : source_text::read(file).lines) text += line + '\n';
  return text;
}

} // namespace

TEST_CASE("the headers keep the layer rule") { REQUIRE(all(tree_check(project / "include").breaches()) == ""); }

TEST_CASE("every header is on the list of those that are compiled alone") {
  const std::vector<std::string> there = tree_check(project / "include").headers();
  const std::vector<std::string> listed = source_text::read(project / "tests/headers/headers.txt").lines;
  std::vector<std::string> differences;
  std::ranges::set_symmetric_difference(there, listed, std::back_inserter(differences));
  INFO("headers.txt is sorted; these are in include/ or on the list, not in both: " << all(differences));
  REQUIRE(there == listed);
}

TEST_CASE("every test source is built by the CMakeLists.txt beside it") {
  for (const auto& entry : fs::recursive_directory_iterator(project / "tests")) {
    const std::string name = entry.path().filename().string();
    const bool is_case = entry.path().parent_path().filename() == "must_not_compile";
    if (name.ends_with(".test.cpp") || (is_case && name.ends_with(".cpp"))) {
      INFO(entry.path().string());
      const std::string listed = is_case ? entry.path().stem().string() : name;
      CHECK(read(entry.path().parent_path() / "CMakeLists.txt").find(listed) != std::string::npos);
    }
  }
}

TEST_CASE("the layer check finds nothing in a tree that keeps the rule") { REQUIRE(fixture_tree().breaches() == ""); }

TEST_CASE("the layer check finds each kind of breach, and nothing else") {
  struct row {
    std::string file, body, sentence;
  };
  const std::string house = "lk/parallel/";
  const auto rows = GENERATE_COPY(values<row>({
      {house + "base/a.hpp", "#include <lk/parallel/config/environment.hpp>\n",
       "room base may not include room config"},
      {house + "process/a.hpp", "#include <lk/parallel/threads/arena.hpp>\n",
       "room process may not include room threads"},
      {house + "wire/a.hpp", "#include <lk/parallel/initialize.hpp>\n", "a room may not include the front"},
      {house + "wire/a.hpp", "#include <lk/parallel.hpp>\n", "includes the door"},
      {house + "wire/a.hpp", "#include <lk/parallel/base/none.hpp>\n", "which does not exist"},
      {house + "wire/a.hpp", "#include \"b.hpp\"\n", "in quotes"},
      {house + "base/a.hpp", "#include <lk/parallel/base/a.hpp>\n", "in a circle"},
      {house + "cellar/a.hpp", "", "is no room of the house"},
      {house + "base/deep/a.hpp", "", "is no room of the house"},
      {house + "detail/a.hpp", "", "never `detail`"},
      {house + "wire/impl/a.hpp", "", "never `impl`"},
      {house + "base/utils.hpp", "", "never `utils`"},
      {"lk/other.hpp", "", "lies outside the house"},
      {house + "base/a.ipp", "", "is no header"},
      {house + "base/a.hpp", std::string(349, '\n'), "has 351 lines"},
      {house + "config/a.hpp", "inline auto x = std::getenv(\"HOME\");\n",
       "only config/environment.hpp may know the env"},
      {house + "shm/a.hpp", "inline int pid = fork ();\n", "only process may know fork"},
      {house + "process/a.hpp", "inline int other = fork();\n", "one file does"},
      {house + "initialize2.hpp", "#include <tbb/parallel_for.h>\n", "only threads may know oneTBB"},
      {house + "initialize2.hpp", "inline auto x = tbb::this_task_arena::max_concurrency();\n", "names `tbb`"},
      {house + "process/a.hpp", "#include <spdlog/spdlog.h>\n", "only report may know spdlog"},
      {house + "threads/a.hpp", "#include <hwloc.h>\n", "only config may know hwloc"},
      {house + "wire/a.hpp", "#include <Eigen/Core>\n", "only eigen.hpp may know Eigen"},
      {house + "wire/a.hpp", "LK_PARALLEL_FUNCTION int f();\n", "does not say where it is defined"},
      {house + "wire/a.hpp", "#ifndef LK_PARALLEL_COMPILED\n#include <lk/parallel/base/error.hpp>\n#endif\n",
       "is defined in another room"},
      {house + "base/a.hpp", "#ifndef LK_PARALLEL_COMPILED\n#include <lk/parallel/base/error.hpp>\n#endif\n",
       "is not included by <lk/parallel/base/error.hpp>"},
  }));
  fixture_tree tree;
  tree.add(rows.file, rows.body);
  INFO(rows.file << ": " << rows.body);
  const std::string found = tree.breaches();
  CHECK_THAT(found, contains(rows.sentence));
  CHECK(std::count(found.begin(), found.end(), '\n') == 1);
}

TEST_CASE("the layer check lets a header and the one that defines its functions include each other") {
  fixture_tree tree;
  tree.add("lk/parallel/base/a.hpp", "LK_PARALLEL_FUNCTION int f();\n#ifndef LK_PARALLEL_COMPILED\n"
                                     "#include <lk/parallel/base/b.hpp>\n#endif\n");
  tree.add("lk/parallel/base/b.hpp", "#include <lk/parallel/base/a.hpp>\n");
  REQUIRE(tree.breaches() == "");
  tree.add("lk/parallel/definitions.hpp", "");
  REQUIRE_THAT(tree.breaches(), contains("definitions.hpp: leaves out <lk/parallel/base/b.hpp>"));
  tree.add("lk/parallel/definitions.hpp", "#include <lk/parallel/base/b.hpp>\n");
  REQUIRE(tree.breaches() == "");
}

TEST_CASE("the layer check wants the licence line and #pragma once") {
  fixture_tree tree;
  tree.write("lk/parallel/base/a.hpp", "int x;\n");
  REQUIRE_THAT(tree.breaches(), contains("does not begin with the line") && contains("has no #pragma once"));
}

TEST_CASE("literals and comments name nothing") {
  fixture_tree tree;
  tree.add("lk/parallel/base/a.hpp",
           "inline auto text = \"fork() \\\" tbb\"; /* spdlog */ inline auto raw = R\"x(tbb \" "
           "fork())x\"; inline int n = 1'000; inline char c = '\"'; // getenv\n");
  REQUIRE(tree.breaches() == "");
}
