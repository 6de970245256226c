// lk-parallel | SPDX-License-Identifier: MIT
#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <lk/parallel/wire/argument_codec.hpp>

#include "support/catch.hpp"
#include "wire/round_trip.hpp"

using namespace lk::parallel;
using wire::argument_codec;

namespace {

/// Sends an argument and hands what arrives to use.
template <class T, class Use> auto deliver(const T& argument, Use&& use) {
  wire::writer out;
  argument_codec<T>::encode(argument, out);
  wire::reader in(out.bytes());
  auto stored = argument_codec<T>::decode(in);
  in.expect_end();
  return use(argument_codec<T>::pass(stored));
}

} // namespace

static_assert(std::is_same_v<argument_codec<const std::string>::stored, std::string>);
static_assert(std::is_same_v<argument_codec<std::string_view>::stored, std::string>);
static_assert(std::is_same_v<argument_codec<std::span<const int>>::stored, std::vector<int>>);

TEST_CASE("an ordinary argument is passed as an rvalue") {
  const auto taken = deliver(std::make_unique<int>(4), [](std::unique_ptr<int>&& owner) { return std::move(owner); });
  CHECK(*taken == 4);
}

TEST_CASE("a string_view arrives as a view of a copy") {
  const std::string text = "hello";
  CHECK(deliver(std::string_view(text),
                [&text](std::string_view view) { return view == text && view.data() != text.data(); }));
  CHECK(deliver(std::u16string_view(u"wide"), [](std::u16string_view view) { return view == u"wide"; }));
  CHECK(deliver(std::string_view(), [](std::string_view view) { return view.empty(); }));
}

TEST_CASE("a span arrives as a span of copies") {
  const std::vector<double> numbers{1, 2, 3};
  CHECK(deliver(std::span<const double>(numbers), [](std::span<const double> span) { return span[2]; }) == 3);
  std::array<std::string, 2> words{"a", "b"};
  CHECK(deliver(std::span<std::string, 2>(words), [](std::span<std::string, 2> span) {
          span[0] = "changed";
          return span[1];
        }) == "b");
  CHECK(words[0] == "a");
  const std::array<bool, 3> bools{true, false, true};
  CHECK(
      deliver(std::span<const bool>(bools), [](std::span<const bool> span) { return span[0] && !span[1] && span[2]; }));
}

TEST_CASE("a span of fixed length refuses any other length") {
  const auto bytes = testing::encoded(std::vector<int>{1, 2});
  wire::reader in(bytes);
  using codec_of_three = argument_codec<std::span<const int, 3>>;
  CHECK_THROWS_AS(codec_of_three::decode(in), wire_error);
}
