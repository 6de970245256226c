// lk-parallel | SPDX-License-Identifier: MIT
#include <cerrno>
#include <exception>
#include <filesystem>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>
#include <utility>
#include <vector>

#include <lk/parallel/wire/failure.hpp>

#include "support/catch.hpp"
#include "wire/round_trip.hpp"

using namespace lk::parallel;
using wire::describe;
using wire::failure;

namespace {

struct own_error : std::out_of_range {
  using std::out_of_range::out_of_range;
};
struct no_std_error {};
struct silent_error : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

template <class Fn> failure description_of(Fn&& fn) {
  try {
    fn();
  } catch (...) {
    return describe(std::current_exception());
  }
  throw std::logic_error("fn did not throw");
}

/// What the host throws for what fn threw in a worker.
template <class Fn> std::exception_ptr thrown_again(Fn&& fn) {
  const failure what = testing::round_trip(description_of(fn));
  try {
    wire::throw_task_error(what, 7, 1, task_stage::call);
  } catch (...) {
    return std::current_exception();
  }
}

/// The original that is nested in an exception.
std::exception_ptr original_of(const std::exception_ptr& outer) {
  try {
    std::rethrow_exception(outer);
  } catch (const std::exception& e) {
    try {
      std::rethrow_if_nested(e);
    } catch (...) {
      return std::current_exception();
    }
  }
  return nullptr;
}

template <class Expected> std::string text_of(const std::exception_ptr& thrown) {
  if (thrown == nullptr) return "(nothing)";
  try {
    std::rethrow_exception(thrown);
  } catch (const Expected& e) {
    return e.what();
  } catch (...) {
    return "(another type)";
  }
}

/// Whether the original comes back as exactly this type with this text.
template <class T> bool comes_back(const T& original) {
  const auto back = original_of(thrown_again([&original] { throw T(original); }));
  return text_of<T>(back) == original.what();
}

void throw_nested(int depth) {
  try {
    if (depth > 1) throw_nested(depth - 1);
    throw std::runtime_error("level 0");
  } catch (...) {
    if (depth == 0) throw;
    std::throw_with_nested(std::runtime_error("level " + std::to_string(depth)));
  }
}

std::size_t chain_length(const failure& what) {
  return 1 + (what.nested.empty() ? 0 : chain_length(what.nested.front()));
}

} // namespace

TEST_CASE("a failure says the type and the message") {
  const failure what = description_of([] { throw own_error("number 7"); });
  CHECK(what.type_name.find("own_error") != std::string::npos);
  CHECK(what.message == "number 7");
}

TEST_CASE("the task error holds index, worker, stage, type and message") {
  try {
    std::rethrow_exception(thrown_again([] { throw std::invalid_argument("no such user"); }));
  } catch (const task_error& e) {
    CHECK(e.task == 7);
    CHECK(e.worker == 1);
    CHECK(e.stage == task_stage::call);
    CHECK(e.type_name == "std::invalid_argument");
    CHECK(e.message == "no such user");
  }
}

TEST_CASE("standard exceptions are nested as what they were") {
  CHECK(comes_back(std::runtime_error("a")));
  CHECK(comes_back(std::range_error("a")));
  CHECK(comes_back(std::overflow_error("a")));
  CHECK(comes_back(std::underflow_error("a")));
  CHECK(comes_back(std::logic_error("a")));
  CHECK(comes_back(std::invalid_argument("a")));
  CHECK(comes_back(std::domain_error("a")));
  CHECK(comes_back(std::length_error("a")));
  CHECK(comes_back(std::out_of_range("a")));
  CHECK(comes_back(std::bad_alloc()));
  CHECK(comes_back(std::bad_cast()));
  CHECK(comes_back(std::bad_optional_access()));
  CHECK(comes_back(std::exception()));
  CHECK(comes_back(wire_error("a")));
  CHECK(comes_back(usage_error("a")));
}

TEST_CASE("a system_error keeps its code and its text") {
  const std::system_error original(ENOENT, std::system_category(), "open ratings.csv");
  const auto back = original_of(thrown_again([&original] { throw std::system_error(original); }));
  CHECK(text_of<std::system_error>(back) == original.what());
  try {
    std::rethrow_exception(back);
  } catch (const std::system_error& e) {
    CHECK(e.code() == original.code());
    CHECK(e.code() == std::errc::no_such_file_or_directory);
  }
  const auto of_file = original_of(thrown_again([] { static_cast<void>(std::filesystem::file_size("/no/such")); }));
  CHECK(text_of<std::system_error>(of_file).find("/no/such") != std::string::npos);
}

TEST_CASE("an own type comes back as its nearest standard base with the same text") {
  const auto back = original_of(thrown_again([] { throw own_error("mine"); }));
  CHECK(text_of<std::out_of_range>(back) == "mine");
}

TEST_CASE("what is no std::exception gives its type, and nothing is nested") {
  CHECK(description_of([] { throw 3; }).type_name == "int");
  CHECK(description_of([] { throw no_std_error{}; }).type_name.find("no_std_error") != std::string::npos);
  CHECK(description_of([] { throw 3; }).message == "(no message)");
  CHECK(original_of(thrown_again([] { throw 3; })) == nullptr);
  CHECK(description_of([] { throw silent_error(); }).message == "(no message)");
}

TEST_CASE("exceptions nested by the task stay nested, and the wrapper is not in the type's name") {
  const auto nest = [] {
    try {
      throw std::logic_error("inner");
    } catch (...) {
      std::throw_with_nested(own_error("outer"));
    }
  };
  const failure what = description_of(nest);
  CHECK(what.type_name.find("_Nested") == std::string::npos);
  const auto outer = original_of(thrown_again(nest));
  CHECK(text_of<std::out_of_range>(outer) == "outer");
  CHECK(text_of<std::logic_error>(original_of(outer)) == "inner");
}

TEST_CASE("what a non-standard exception was thrown from is told") {
  const auto back = original_of(thrown_again([] {
    try {
      throw std::logic_error("inner");
    } catch (...) {
      std::throw_with_nested(no_std_error{});
    }
  }));
  CHECK(text_of<std::logic_error>(back) == "inner");
}

TEST_CASE("a chain of nested exceptions is kept up to eight levels") {
  CHECK(chain_length(description_of([] { throw_nested(3); })) == 4);
  CHECK(chain_length(description_of([] { throw_nested(100); })) == 8);
}

TEST_CASE("a chain of a hundred levels in the bytes is followed for eight") {
  failure what{"deepest", "deepest", wire::std_kind::runtime_error, 0, {}, {}};
  for (int i = 0; i < 100; ++i) what = failure{"t", "m", wire::std_kind::runtime_error, 0, {}, {what}};
  const failure arrived = testing::round_trip(what);
  std::size_t levels = 0;
  try {
    wire::throw_task_error(arrived, 0, 0, task_stage::call);
  } catch (...) {
    for (auto level = original_of(std::current_exception()); level != nullptr; level = original_of(level)) ++levels;
  }
  CHECK(levels == 8);
}

TEST_CASE("a message of 100 MB is cut to 64 KiB, at the start of a character") {
  CHECK(description_of([] { throw std::runtime_error(std::string(100'000'000, 'x')); }).message ==
        std::string(65536, 'x'));
  std::string text = "x";
  while (text.size() < 70'000) text += "\xE2\x82\xAC"; // the euro sign, three bytes
  const std::string cut = description_of([&text] { throw std::runtime_error(text); }).message;
  CHECK(cut.size() == 65536 - (65536 - 1) % 3);
}

TEST_CASE("a message with zero bytes in it travels as data") {
  failure what{"t", std::string("a\0b", 3), wire::std_kind::runtime_error, 0, {}, {}};
  CHECK(testing::round_trip(what).message == what.message);
}

TEST_CASE("no exception at all is described, too") { CHECK(describe(nullptr).type_name == "(nothing)"); }

TEST_CASE("a kind that nobody knows gives a task error with nothing nested") {
  failure what{"t", "m", static_cast<wire::std_kind>(250), 0, {}, {}};
  try {
    wire::throw_task_error(what, 3, 0, task_stage::decode_result);
  } catch (const task_error& e) {
    CHECK(e.message == "m");
    CHECK(dynamic_cast<const std::nested_exception*>(&e) == nullptr);
  }
}
