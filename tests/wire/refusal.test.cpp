// lk-parallel | SPDX-License-Identifier: MIT
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

#include <lk/parallel/codec.hpp>

#include "support/catch.hpp"

using namespace lk::parallel;
using wire::refusal;

namespace {

template <class T> constexpr refusal why() { return wire::value_verdict<T>::why; }
template <class T> using culprit = typename wire::value_verdict<T>::culprit;

struct with_pointer {
  int a;
  const char* text;
};
struct buried {
  std::vector<std::optional<std::map<int, with_pointer>>> deep;
};
struct with_view {
  std::string_view name;
};
struct with_reference {
  int& target;
};
struct with_const_reference {
  const int& target;
};
struct with_array_of_pointers {
  int* all[4];
};
struct recursive_with_pointer {
  std::vector<recursive_with_pointer> children;
  void* secret;
};
union either {
  int a;
  float b;
};
struct base {
  int a;
};
struct derived : base {
  int b;
};
struct seventeen {
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q;
};
class secretive {
 public:
  secretive() = default;
  std::string get() const { return text_; }

 private:
  std::string text_;
};
struct fixed {
  fixed(fixed&&) = delete;
  int a;
};
struct rigid {
  const int id;
  std::string names[2];
};
struct half_codec {
  std::string text;
};
struct shape {
  virtual ~shape() = default;
};

} // namespace

template <> struct lk::parallel::codec<half_codec> {
  static void encode(const half_codec&, wire::writer&) {}
};
template <> struct lk::parallel::codec<shape> {
  static void encode(const shape&, wire::writer&) {}
  static shape decode(wire::reader&) { return {}; }
};

TEST_CASE("pointers are refused wherever they hide, and named") {
  CHECK(why<int*>() == refusal::pointer);
  CHECK(why<const char*>() == refusal::pointer);
  CHECK(why<int (*)(int)>() == refusal::pointer);
  CHECK(why<int base::*>() == refusal::pointer);
  CHECK(why<std::nullptr_t>() == refusal::pointer);
  CHECK(why<std::shared_ptr<int>>() == refusal::pointer);
  CHECK(why<std::error_code>() == refusal::pointer);
  CHECK(why<std::unique_ptr<int*>>() == refusal::pointer);
  CHECK(why<with_array_of_pointers>() == refusal::pointer);
  CHECK(why<recursive_with_pointer>() == refusal::pointer);
  CHECK(why<buried>() == refusal::pointer);
  CHECK(std::is_same_v<culprit<buried>, const char*>);
}

TEST_CASE("references, views and iterators are refused") {
  CHECK(why<int&>() == refusal::reference);
  CHECK(why<with_reference>() == refusal::reference);
  CHECK(why<with_const_reference>() == refusal::reference);
  CHECK(why<std::tuple<int&>>() == refusal::reference);
  CHECK(why<std::reference_wrapper<int>>() == refusal::reference);
  CHECK(why<std::string_view>() == refusal::view);
  CHECK(why<with_view>() == refusal::view);
  CHECK(why<std::vector<std::span<int>>>() == refusal::view);
  CHECK(why<std::initializer_list<int>>() == refusal::view);
  CHECK(why<std::ranges::iota_view<int, int>>() == refusal::view);
  CHECK(why<std::vector<int>::iterator>() == refusal::iterator);
  CHECK(why<std::map<int, int>::const_iterator>() == refusal::iterator);
  CHECK(why<std::optional<std::vector<int>::iterator>>() == refusal::iterator);
}

TEST_CASE("what cannot be taken apart or put together is refused") {
  CHECK(why<either>() == refusal::union_type);
  CHECK(why<derived>() == refusal::has_base);
  CHECK(why<seventeen>() == refusal::too_many_members);
  CHECK(why<rigid>() == refusal::rigid_array);
  CHECK(why<secretive>() == refusal::no_codec);
  CHECK(why<std::function<int()>>() == refusal::no_codec);
  CHECK(why<int[3]>() == refusal::no_codec);
  CHECK(why<std::unique_ptr<int[]>>() == refusal::no_codec);
  CHECK(why<void>() == refusal::no_codec);
  CHECK(why<fixed>() == refusal::immovable);
  CHECK(why<half_codec>() == refusal::misshapen_codec);
}

TEST_CASE("a unique_ptr to a base class is refused, since the derived part would be lost") {
  CHECK(why<shape>() == refusal::none);
  CHECK(why<std::unique_ptr<shape>>() == refusal::no_codec);
}

TEST_CASE("string_view and span pass as a whole argument only, and never as a result") {
  CHECK(codable_argument<std::string_view>);
  CHECK(codable_argument<const std::span<const double>>);
  CHECK(codable_argument<std::span<std::string, 3>>);
  CHECK_FALSE(codable_argument<std::span<int*>>);
  CHECK_FALSE(codable_argument<std::vector<std::string_view>>);
  CHECK_FALSE(codable<std::string_view>);
  CHECK_FALSE(codable_result<std::string_view>);
  CHECK_FALSE(codable_result<std::span<const int>>);
}

TEST_CASE("a result may be void, and must not be a reference") {
  CHECK(codable_result<void>);
  CHECK(codable_result<std::vector<int>>);
  CHECK(codable_result<const std::vector<int>>);
  CHECK_FALSE(codable_argument<void>);
  CHECK_FALSE(codable_result<const std::string&>);
}
