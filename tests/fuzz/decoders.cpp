// lk-parallel | SPDX-License-Identifier: MIT
#include "fuzz/decoders.hpp"

#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>

#include <Eigen/Core>

#include <lk/parallel/codec.hpp>
#include <lk/parallel/eigen.hpp>
#include <lk/parallel/report/log_record.hpp>
#include <lk/parallel/shm/frame.hpp>
#include <lk/parallel/wire/failure.hpp>
#include <lk/parallel/wire/frame.hpp>

namespace {

enum class colour : std::uint8_t { red, green };

struct scored_item {
  std::int32_t item;
  float score;
};

struct flags { // no padding: its bytes can be compared
  std::array<bool, 4> four;
  bool list[3];
  bool last;
};

struct node {
  std::int32_t value;
  std::vector<node> children;
};

struct everything {
  std::string name;
  std::uint32_t id;
  std::int32_t grid[2][2];
  std::string words[2];
  std::optional<std::vector<scored_item>> items;
  std::map<std::string, std::vector<bool>> masks;
  std::variant<std::monostate, std::int32_t, std::string, node> either;
  std::unique_ptr<node> tree;
  std::tuple<colour, std::pair<double, bool>> mixed;
  flags switches;
};

struct list_of_owners {
  std::unique_ptr<list_of_owners> next;
};

class handwritten {
 public:
  std::vector<handwritten> children;
  std::string text;
};

class blank {}; // its codec takes no bytes

} // namespace

template <> struct lk::parallel::codec<handwritten> {
  static void encode(const handwritten& value, wire::writer& out) {
    wire::encode(value.text, out);
    wire::encode(value.children, out);
  }
  static handwritten decode(wire::reader& in) {
    handwritten value;
    value.text = wire::decode<std::string>(in);
    value.children = wire::decode<std::vector<handwritten>>(in);
    return value;
  }
};

template <> struct lk::parallel::codec<blank> {
  static void encode(const blank&, wire::writer&) {}
  static blank decode(wire::reader&) { return {}; }
};

namespace lk::parallel::testing {
namespace {

message bytes_of(const wire::writer& out) { return {out.bytes().begin(), out.bytes().end()}; }

template <class T> message encoded(const T& value) {
  wire::writer out;
  wire::encode(value, out);
  return bytes_of(out);
}

void must_be_equal(const message& first, const message& second) {
  if (first != second) throw std::logic_error("a decoded value is encoded differently the second time");
}

template <class T> void run_codec(std::span<const std::byte> bytes) {
  wire::reader in(bytes);
  const T value = wire::decode<T>(in);
  const message first = encoded(value);
  wire::reader again(first);
  const T copy = wire::decode<T>(again);
  again.expect_end();
  must_be_equal(first, encoded(copy));
}

template <class T> void run_argument(std::span<const std::byte> bytes) {
  using argument = wire::argument_codec<T>;
  wire::reader in(bytes);
  auto stored = argument::decode(in);
  const T passed = argument::pass(stored);
  wire::writer out;
  argument::encode(passed, out);
  wire::reader again(out.bytes());
  auto copy = argument::decode(again);
  again.expect_end();
}

void run_failure(std::span<const std::byte> bytes) {
  wire::reader in(bytes);
  const wire::failure what = wire::decode_failure(in);
  must_be_equal(encoded(what), encoded(what));
  try {
    wire::throw_task_error(what, 1, 2, task_stage::call);
  } catch (const task_error& error) {
    if (error.message != what.message) throw std::logic_error("a task error says something else than its failure");
    static_cast<void>(encoded(wire::describe(std::current_exception())));
  }
}

void run_log_record(std::span<const std::byte> bytes) { static_cast<void>(report::decode_log_record(bytes)); }

void run_frames(std::span<const std::byte> bytes) {
  wire::reader in(bytes);
  wire::assembler assembler;
  std::size_t seen = 0;
  while (in.remaining() >= sizeof(shm::frame_header)) {
    const auto header = in.get<shm::frame_header>();
    const auto payload = in.take(header.payload_bytes);
    seen += payload.size();
    const auto whole = assembler.add(header.kind, header.ticket, wire::frame_flags(header.flags).more(), payload);
    if (whole && whole->size() > seen) throw std::logic_error("a message is longer than all of its pieces");
  }
}

template <class T> decoder codec_of(const char* name, const T& sample) {
  return {name, run_codec<T>, {encoded(sample)}};
}
template <class T, class Owner> decoder argument_of(const char* name, const Owner& sample) {
  return {name, run_argument<T>, {encoded(sample)}};
}

node tree() { return {1, {{2, {}}, {3, {{4, {}}, {5, {}}}}}}; }

everything one_of_everything() {
  return {"name",
          7,
          {{1, 2}, {3, 4}},
          {"a", "b"},
          std::vector<scored_item>{{1, 0.5F}, {2, 0.25F}},
          {{"mask", {true, false, true}}},
          tree(),
          std::make_unique<node>(tree()),
          {colour::green, {1.5, true}},
          {{true, false, true, false}, {true, true, false}, true}};
}

handwritten handwriting() {
  handwritten value;
  value.text = "outer";
  value.children.resize(2);
  value.children[1].text = "inner";
  return value;
}

decoder failures() {
  wire::failure inner{"std::logic_error", "inner", wire::std_kind::logic_error, 0, {}, {}};
  const wire::failure outer{"std::system_error", "outer", wire::std_kind::system_error, 2, "system", {inner}};
  return {"failure", run_failure, {encoded(inner), encoded(outer)}};
}

decoder log_records() {
  wire::writer out;
  report::encode_log_record({2, 1, 77, {}, 12, "file.cpp", "function", "lk", "text"}, out);
  return {"log_record", run_log_record, {bytes_of(out)}};
}

decoder frames() {
  wire::writer out;
  for (const bool more : {true, true, false}) {
    out.put(shm::frame_header{4, wire::code(wire::frame_kind::result), wire::frame_flags(0, more).bits(), 9});
    out.put(std::uint32_t{5});
  }
  return {"frames", run_frames, {bytes_of(out)}};
}

std::vector<decoder> make_all() {
  using namespace std::string_literals;
  using words = std::vector<std::string>;
  std::vector<decoder> all;
  all.push_back(codec_of("int", std::int32_t{5}));
  all.push_back(codec_of("bool", true));
  all.push_back(codec_of("flags", flags{}));
  all.push_back(codec_of("everything", one_of_everything()));
  all.push_back(codec_of("node", tree()));
  all.push_back(codec_of("owners", list_of_owners{std::make_unique<list_of_owners>()}));
  all.push_back(codec_of("handwritten", handwriting()));
  all.push_back(codec_of("blanks", std::vector<blank>(3)));
  all.push_back(codec_of("string", "hello"s));
  all.push_back(codec_of("u32string", U"hello"s));
  all.push_back(codec_of("path", std::filesystem::path("/a//b/../c.txt")));
  all.push_back(codec_of("array", std::array<std::string, 3>{"a", "b", "c"}));
  all.push_back(codec_of("vector of flags", std::vector<flags>(3)));
  all.push_back(codec_of("vector of strings", words{"a", "bc", ""}));
  all.push_back(codec_of("vector of vectors", std::vector<std::vector<std::int16_t>>{{1, 2}, {}}));
  all.push_back(codec_of("vector of bool", std::vector<bool>{true, false, true}));
  all.push_back(codec_of("vector of monostate", std::vector<std::monostate>(3)));
  all.push_back(codec_of("vector of tuples", std::vector<std::tuple<>>(3)));
  all.push_back(codec_of("vector of big optionals", std::vector<std::optional<std::array<int, 64>>>(2)));
  all.push_back(codec_of("deque", std::deque<std::string>{"a", "b"}));
  all.push_back(codec_of("list", std::list<colour>{colour::red}));
  all.push_back(codec_of("map", std::map<std::string, std::int32_t>{{"a", 1}, {"b", 2}}));
  all.push_back(codec_of("multimap", std::multimap<std::int32_t, std::string>{{1, "a"}, {1, "b"}}));
  all.push_back(codec_of("set", std::set<std::string>{"a", "b"}));
  all.push_back(codec_of("multiset", std::multiset<std::int32_t>{1, 1, 2}));
  all.push_back(codec_of("unordered_map", std::unordered_map<std::string, std::int32_t>{{"a", 1}, {"b", 2}}));
  all.push_back(codec_of("unordered_multimap", std::unordered_multimap<std::int32_t, std::int32_t>{{1, 1}, {1, 2}}));
  all.push_back(codec_of("unordered_set", std::unordered_set<std::int64_t>{1, 2, 30}));
  all.push_back(codec_of("unordered_multiset", std::unordered_multiset<std::string>{"a", "a"}));
  all.push_back(codec_of("bitset", std::bitset<70>(5)));
  all.push_back(codec_of("complex", std::vector<std::complex<float>>{{1, 2}}));
  all.push_back(codec_of("time point", std::chrono::system_clock::time_point(std::chrono::seconds(1))));
  all.push_back(codec_of("MatrixXf", Eigen::MatrixXf(Eigen::MatrixXf::Ones(2, 3))));
  all.push_back(
      codec_of("bounded Vector", Eigen::Matrix<double, Eigen::Dynamic, 1, 0, 8, 1>(Eigen::VectorXd::Ones(4))));
  all.push_back(codec_of("Matrix2i", Eigen::Matrix2i(Eigen::Matrix2i::Ones())));
  all.push_back(codec_of("Array of bool", Eigen::Array<bool, Eigen::Dynamic, 1>(Eigen::ArrayXi::Ones(5) > 0)));
  all.push_back(argument_of<std::string_view>("string_view", "hello"s));
  all.push_back(argument_of<std::span<const std::string>>("span of strings", words{"a", "b"}));
  all.push_back(argument_of<std::span<const bool>>("span of bool", std::vector<flags>(1)));
  all.push_back(argument_of<std::span<const double, 2>>("span of two", std::vector<double>{1, 2}));
  all.push_back(failures());
  all.push_back(log_records());
  all.push_back(frames());
  return all;
}

} // namespace

const std::vector<decoder>& all_decoders() {
  static const std::vector<decoder> all = make_all();
  return all;
}

void decode_any(std::span<const std::byte> input) {
  if (input.empty()) return;
  const auto& all = all_decoders();
  try {
    all[std::to_integer<std::size_t>(input.front()) % all.size()].run(input.subspan(1));
  } catch (const wire_error&) {
  }
}

std::vector<message> all_samples() {
  std::vector<message> samples;
  for (std::size_t i = 0; i < all_decoders().size(); ++i) {
    for (const message& sample : all_decoders()[i].samples) {
      message& input = samples.emplace_back(1, static_cast<std::byte>(i));
      input.insert(input.end(), sample.begin(), sample.end());
    }
  }
  return samples;
}

} // namespace lk::parallel::testing
