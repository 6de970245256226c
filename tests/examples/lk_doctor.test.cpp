// lk-parallel | SPDX-License-Identifier: MIT

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <doctor/as_json.hpp>
#include <support/catch.hpp>

#include "program.hpp"

// The program from outside: ctest hands over its path in LK_DOCTOR. What it says is read back by a JSON parser.

using namespace recsys::testing;
using lk::parallel::testing::contains;
using nlohmann::json;

namespace {

program_result run(const words& arguments, const words& knobs = {}) {
  return run_program("LK_DOCTOR", arguments, knobs);
}

json diagnosed(const words& arguments = {}, const words& knobs = {}) {
  const program_result result = run(words{"--json"} + arguments, knobs);
  INFO(result.err);
  REQUIRE(result.code == 0);
  return json::parse(result.out);
}

} // namespace

TEST_CASE("lk-doctor prints a section for each subject") {
  const program_result result = run({}, {"LK_NUM_THREADS=1"});
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  CHECK(result.out.starts_with("lk-parallel "));
  std::size_t at = 0;
  for (const char* heading : {"\n\nKnobs\n", "\n\nCPUs\n", "\n\nTopology\n", "\n\nSystem\n", "\n\nBackends\n",
                              "\n\nThreads\n", "\n\nFindings\n"}) {
    INFO(heading << result.out);
    at = result.out.find(heading, at);
    REQUIRE(at != std::string::npos);
  }
  CHECK_THAT(result.out, contains("  threads          1     LK_NUM_THREADS\n"));
  CHECK_THAT(result.out, contains("[core-files]\n    Set LK_CORE=1"));
}

TEST_CASE("lk-doctor --json prints one object with all that it knows") {
  const json all = diagnosed({}, {"LK_NUM_PROCS=2", "LK_NUM_CHILD_THREADS=-1"});
  std::vector<std::string> names;
  for (const auto& [name, value] : all.items()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"backends", "cpus", "findings", "knobs", "placement", "system", "threads",
                                          "topology", "version"});
  CHECK(all["knobs"].size() == 4);
  CHECK(all["knobs"][0] ==
        json{{"name", "processes"}, {"value", 2}, {"origin", "variable"}, {"source", "LK_NUM_PROCS"}});
  CHECK(all["knobs"][1]["origin"] == "default");
  CHECK(all["cpus"]["effective"] >= 1);
  CHECK(all["topology"]["processing_units"] >= all["cpus"]["effective"]);
  CHECK(all["threads"][0] == json{{"name", "lk-doctor"}, {"count", 1}, {"owner", "main"}});
  CHECK(all["findings"][0]["level"] == "warning");
  CHECK(all["findings"][0]["topic"] == "child-threads");
}

TEST_CASE("every member of a diagnosis is in the JSON, and what is not known is null") {
  namespace parallel = lk::parallel;
  parallel::diagnosis all;
  all.knobs = {{"threads", 2, parallel::knob_origin::argument, "parallel_options::threads"}};
  all.cpus = {8, {}, 4, 4};
  all.topology = {"A CPU", 1, 4, 8, {{0, 1024, 8}}};
  all.system.memory = parallel::usage{1, 2};
  all.system.devices = {"/dev/kfd"};
  all.backends = {{"OpenBLAS", "BLAS", "0.3.21", "pthreads", 2, false, "OPENBLAS_NUM_THREADS", "/lib/x.so"}};
  all.threads = {{"bad \xff name", 3, parallel::thread_owner::others}};
  all.findings = {{parallel::severity::note, "topic", "what", "advice"}};
  const auto told = doctor::as_json(all).dump(-1, ' ', false, doctor::json::error_handler_t::replace);
  const json read = json::parse(told);
  CHECK(read["cpus"] == json{{"machine", 8}, {"affinity", nullptr}, {"quota", 4}, {"effective", 4}});
  CHECK(read["topology"]["nodes"][0] == json{{"number", 0}, {"memory_bytes", 1024}, {"processing_units", 8}});
  CHECK(read["system"]["memory"] == json{{"used", 1}, {"limit", 2}});
  CHECK(read["system"]["user_tasks"].is_null());
  CHECK(read["system"]["devices"][0] == "/dev/kfd");
  CHECK(read["backends"][0] == json{{"name", "OpenBLAS"},
                                    {"kind", "BLAS"},
                                    {"version", "0.3.21"},
                                    {"threading_layer", "pthreads"},
                                    {"threads", 2},
                                    {"per_thread", false},
                                    {"variable", "OPENBLAS_NUM_THREADS"},
                                    {"file", "/lib/x.so"}});
  CHECK(read["threads"][0]["count"] == 3);
  CHECK(read["findings"][0] == json{{"level", "note"}, {"topic", "topic"}, {"what", "what"}, {"advice", "advice"}});
}

TEST_CASE("lk-doctor --strict ends with code 1 where there are warnings") {
  CHECK(run({"--strict"}, {"LK_NUM_PROCS=100000"}).code == 1);
  CHECK(run({}, {"LK_NUM_PROCS=100000"}).code == 0);
}

TEST_CASE("lk-doctor --load loads a library, and says where it cannot") {
  const json all = diagnosed({"--load", "libm.so.6"});
  CHECK(all["backends"].empty());
  const program_result result = run({"--load", "libm.so.6", "--load", "no-such-library.so"});
  CHECK(result.code == 2);
  CHECK(result.out.empty());
  CHECK_THAT(result.err, contains("lk-doctor: --load: no-such-library.so"));
}

TEST_CASE("lk-doctor --load shows a BLAS as the job would find it") {
  if (run({"--load", "libopenblas.so.0"}).code == 2) {
    WARN("skipped: OpenBLAS is not installed");
    return;
  }
  const json all = diagnosed({"--load", "libopenblas.so.0"}, {"LK_NUM_THREADS=1", "LK_NUM_BACKEND_THREADS=1"});
  REQUIRE(all["backends"].size() >= 1);
  CHECK(all["backends"][0]["name"] == "OpenBLAS");
  CHECK(all["backends"][0]["threads"] == 1);
}

TEST_CASE("lk-doctor --measure counts the threads that a worker gets") {
  const json all = diagnosed({"--measure"}, {"LK_NUM_PROCS=1", "LK_NUM_CHILD_THREADS=2"});
  CHECK(all["measured"]["tbb_threads"] == 2);
  CHECK(all["measured"]["openmp_threads"] == 0);
  CHECK(all["measured"]["first_result_ms"] > 0);
  const program_result text = run({"--measure"}, {"LK_NUM_PROCS=1", "LK_NUM_CHILD_THREADS=2"});
  CHECK(text.code == 0);
  CHECK_THAT(text.out, contains("Measured\n") && contains("oneTBB threads in a worker     2\n"));
}

TEST_CASE("lk-doctor ends with code 2 and one line where a knob or an option is not usable") {
  const program_result knob = run({}, {"LK_NUM_THREADS=many"});
  CHECK(knob.code == 2);
  CHECK(knob.out.empty());
  CHECK(knob.err == "lk-doctor: LK_NUM_THREADS: \"many\" is not usable: give a whole number from 1 up\n");
  CHECK(run({}, {"LK_DEBUG=loud"}).code == 2);
  CHECK(run({"--bogus"}).code == 2);
  const program_result help = run({"--help"});
  CHECK(help.code == 0);
  CHECK_THAT(help.out, contains("--measure"));
}

TEST_CASE("LK_DEBUG=1 logs to standard error") {
  const program_result result = run({"--json"}, {"LK_DEBUG=1"});
  CHECK(result.code == 0);
  CHECK(json::accept(result.out));
  CHECK_THAT(result.err, contains("lk-parallel 0."));
}
