// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <lk/parallel/wire/codec.hpp>
#include <lk/parallel/wire/container_codecs.hpp>

// Codecs of the standard vocabulary that is no container: strings, array, pair, tuple, optional, variant, unique_ptr,
// bitset, path. (Numbers, complex, chrono durations and time points are flat and need none.) Each names in `parts` what
// it is made of, so that a pointer inside is found, and in `min_size` the fewest bytes it takes.

namespace lk::parallel {

template <class C, class Traits, class Allocator> struct codec<std::basic_string<C, Traits, Allocator>> {
  using parts = wire::types<C>;
  static constexpr std::size_t min_size = sizeof(std::uint64_t);

  static void encode(const std::basic_string<C, Traits, Allocator>& text, wire::writer& out) {
    out.put_length(text.size());
    out.write(text.data(), text.size() * sizeof(C));
  }
  static std::basic_string<C, Traits, Allocator> decode(wire::reader& in) {
    std::basic_string<C, Traits, Allocator> text(in.get_length(sizeof(C)), C());
    in.read(text.data(), text.size() * sizeof(C));
    return text;
  }
};

template <> struct codec<std::filesystem::path> {
  using parts = wire::types<>;
  static constexpr std::size_t min_size = sizeof(std::uint64_t);
  static void encode(const std::filesystem::path& path, wire::writer& out) { wire::encode(path.native(), out); }
  static std::filesystem::path decode(wire::reader& in) { return wire::decode<std::string>(in); }
};

template <class T, std::size_t N> struct codec<std::array<T, N>> {
  using parts = wire::types<T>;
  static constexpr bool flat = wire::is_flat<T>();
  static constexpr std::size_t min_size = N == 0 ? 1 : N * wire::min_size<T>();

  static void encode(const std::array<T, N>& elements, wire::writer& out) {
    if constexpr (N == 0) out.put(std::uint8_t{0});
    for (const T& element : elements) wire::encode(element, out);
  }
  static std::array<T, N> decode(wire::reader& in) {
    if constexpr (flat) {
      return wire::decode_flat<std::array<T, N>>(in);
    } else {
      if constexpr (N == 0) static_cast<void>(in.take(1));
      return decode_each(in, std::make_index_sequence<N>{});
    }
  }

 private:
  template <std::size_t... Idx> static std::array<T, N> decode_each(wire::reader& in, std::index_sequence<Idx...>) {
    return {{(static_cast<void>(Idx), wire::decode<T>(in))...}}; // braces: left to right
  }
};

template <class First, class Second> struct codec<std::pair<First, Second>> {
  using parts = wire::types<First, Second>;
  static constexpr std::size_t min_size = wire::min_size<First>() + wire::min_size<Second>();

  static void encode(const std::pair<First, Second>& both, wire::writer& out) {
    wire::encode(both.first, out);
    wire::encode(both.second, out);
  }
  static std::pair<First, Second> decode(wire::reader& in) {
    return std::pair<First, Second>{wire::decode<std::remove_cv_t<First>>(in),
                                    wire::decode<std::remove_cv_t<Second>>(in)}; // braces: left to right
  }
};

template <class... Ts> struct codec<std::tuple<Ts...>> {
  using parts = wire::types<Ts...>;
  static constexpr std::size_t min_size = wire::sum_of_min_sizes(parts{});

  static void encode(const std::tuple<Ts...>& all, wire::writer& out) {
    if constexpr (sizeof...(Ts) == 0) {
      out.put(std::uint8_t{0});
    } else {
      std::apply([&out](const Ts&... each) { (wire::encode(each, out), ...); }, all);
    }
  }
  static std::tuple<Ts...> decode(wire::reader& in) {
    if constexpr (sizeof...(Ts) == 0) static_cast<void>(in.take(1));
    return std::tuple<Ts...>{wire::decode<std::remove_cv_t<Ts>>(in)...}; // braces: left to right
  }
};

template <class T> struct codec<std::optional<T>> {
  using parts = wire::types<T>;
  static constexpr std::size_t min_size = 1;

  static void encode(const std::optional<T>& maybe, wire::writer& out) {
    out.put(maybe.has_value());
    if (maybe) wire::encode(*maybe, out);
  }
  static std::optional<T> decode(wire::reader& in) {
    if (!wire::decode_flat<bool>(in)) return std::nullopt;
    return wire::decode<std::remove_cv_t<T>>(in);
  }
};

template <class... Ts> struct codec<std::variant<Ts...>> {
  using parts = wire::types<Ts...>;
  static constexpr std::size_t min_size = 1;
  static_assert(sizeof...(Ts) < 256);

  static void encode(const std::variant<Ts...>& either, wire::writer& out) {
    if (either.valueless_by_exception())
      throw wire_error("a variant that lost its value to an exception cannot travel");
    out.put(static_cast<std::uint8_t>(either.index()));
    std::visit([&out](const auto& value) { wire::encode(value, out); }, either);
  }
  static std::variant<Ts...> decode(wire::reader& in) { return decode_from<0>(in.get<std::uint8_t>(), in); }

 private:
  template <std::size_t Idx> static std::variant<Ts...> decode_from(std::size_t index, wire::reader& in) {
    if constexpr (Idx == sizeof...(Ts)) {
      wire::throw_bad_value("an alternative that its variant does not have");
    } else if (index == Idx) {
      using alternative = std::variant_alternative_t<Idx, std::variant<Ts...>>;
      return std::variant<Ts...>(std::in_place_index<Idx>, wire::decode<std::remove_cv_t<alternative>>(in));
    } else {
      return decode_from<Idx + 1>(index, in);
    }
  }
};

/// What it points to travels, as a T: a pointer to a base would lose the derived part, so it has no codec.
template <class T>
requires(!std::is_array_v<T> && (!std::is_polymorphic_v<T> || std::is_final_v<T>)) struct codec<std::unique_ptr<T>> {
  using parts = wire::types<T>;
  static constexpr std::size_t min_size = 1;

  static void encode(const std::unique_ptr<T>& owner, wire::writer& out) {
    out.put(owner != nullptr);
    if (!owner) return;
    const wire::nested level(out);
    wire::encode(*owner, out);
  }
  static std::unique_ptr<T> decode(wire::reader& in) {
    if (!wire::decode_flat<bool>(in)) return nullptr;
    const wire::nested level(in);
    return std::unique_ptr<T>(new T(wire::decode<std::remove_cv_t<T>>(in)));
  }
};

template <std::size_t N> struct codec<std::bitset<N>> {
  using parts = wire::types<>;
  static constexpr std::size_t min_size = sizeof(std::bitset<N>);

  static void encode(const std::bitset<N>& bits, wire::writer& out) { out.put(bits); }
  static std::bitset<N> decode(wire::reader& in) {
    return ~~in.get<std::bitset<N>>(); // each ~ also clears what lies beyond the last bit
  }
};

} // namespace lk::parallel
