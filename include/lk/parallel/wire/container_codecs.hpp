// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lk/parallel/wire/codec.hpp>

// Codecs of the standard containers: a count, then the elements. A vector of flat elements goes by one memcpy. Counts
// are checked before memory is taken for them, and each level of containers counts against max_depth.

namespace lk::parallel::wire {

template <class T> void encode_elements(std::span<const T> elements, writer& out) {
  out.put_length(elements.size());
  if constexpr (is_flat<T>()) {
    out.write(elements.data(), elements.size_bytes());
  } else {
    const nested level(out);
    for (const T& element : elements) wire::encode(element, out);
  }
}

/// How many elements to make room for: a small message may announce many that are large only in memory.
template <class T> std::size_t room_for(std::size_t announced, const reader& in) {
  return std::min(announced, 64 + 16 * (in.remaining() / sizeof(T)));
}

/// Vectors of flat elements in one piece.
template <class Vector> Vector decode_flat_vector(reader& in) {
  using element = typename Vector::value_type;
  const std::size_t n = in.get_length(sizeof(element));
  if constexpr (std::is_copy_constructible_v<element> && !holds_bool<element>()) {
    if (const auto* const source = in.take_objects<element>(n)) return Vector(source, source + n);
  }
  Vector elements;
  if constexpr (std::is_default_constructible_v<element> && std::is_copy_assignable_v<element>) {
    elements.resize(n);
    in.read(elements.data(), n * sizeof(element));
    if constexpr (holds_bool<element>()) {
      for (const element& each : elements) check_bools(each);
    }
  } else {
    elements.reserve(n);
    for (std::size_t i = 0; i < n; ++i) elements.push_back(decode_flat<element>(in));
  }
  return elements;
}

template <class Sequence> struct sequence_codec {
  using element = typename Sequence::value_type;
  using parts = types<element>;
  static constexpr std::size_t min_size = sizeof(std::uint64_t);

  static void encode(const Sequence& elements, writer& out) {
    out.put_length(elements.size());
    const nested level(out);
    for (const element& each : elements) wire::encode(each, out);
  }
  static Sequence decode(reader& in) {
    const std::size_t n = in.get_length(wire::min_size<element>());
    const nested level(in);
    Sequence elements;
    if constexpr (requires { elements.reserve(n); }) elements.reserve(room_for<element>(n, in));
    for (std::size_t i = 0; i < n; ++i) elements.push_back(wire::decode<element>(in));
    return elements;
  }
};

/// Takes the next element of a map or set and hands it, or its two halves, to put.
template <class Container, class Put> void decode_entry(reader& in, Put&& put) {
  auto key = wire::decode<typename Container::key_type>(in);
  if constexpr (requires { typename Container::mapped_type; }) {
    put(std::move(key), wire::decode<typename Container::mapped_type>(in));
  } else {
    put(std::move(key));
  }
}

template <class Ordered> struct ordered_codec {
  using parts = types<typename Ordered::value_type>;
  static constexpr std::size_t min_size = sizeof(std::uint64_t);

  static void encode(const Ordered& entries, writer& out) { sequence_codec<Ordered>::encode(entries, out); }
  static Ordered decode(reader& in) {
    const std::size_t n = in.get_length(wire::min_size<typename Ordered::value_type>());
    const nested level(in);
    Ordered entries;
    for (std::size_t i = 0; i < n; ++i) {
      decode_entry<Ordered>(in, [&entries](auto&&... entry) {
        entries.emplace_hint(entries.end(), std::forward<decltype(entry)>(entry)...);
      });
    }
    if (entries.size() != n) throw_bad_value("a key twice in a map or set");
    return entries;
  }
};

/// Hash tables arrive in the order in which they were sent, as a sum over one must not depend on who computes it: as
/// many buckets, filled back to front, since libstdc++ puts a new entry before those there are. (Where a standard
/// library does otherwise, or a table has over 16 buckets for each entry, only the order is lost.)
template <class Hashed> struct hashed_codec {
  using parts = types<typename Hashed::value_type>;
  static constexpr std::size_t min_size = 2 * sizeof(std::uint64_t);

  static void encode(const Hashed& entries, writer& out) {
    out.put_length(entries.bucket_count());
    sequence_codec<Hashed>::encode(entries, out);
  }
  static Hashed decode(reader& in) {
    const auto buckets = in.get<std::uint64_t>();
    const std::size_t n = in.get_length(wire::min_size<typename Hashed::value_type>());
    const nested level(in);
    auto waiting = decode_all(n, in);
    Hashed entries;
    entries.rehash(std::min<std::uint64_t>(buckets, 256 + 16 * waiting.size())); // no more than hostile bytes may cost
    for (auto entry = waiting.rbegin(); entry != waiting.rend(); ++entry) {
      std::apply([&entries](auto&&... halves) { entries.emplace(std::move(halves)...); }, *entry);
    }
    if (entries.size() != n) throw_bad_value("a key twice in a map or set");
    return entries;
  }

 private:
  static auto decode_all(std::size_t n, reader& in) {
    using key = typename Hashed::key_type;
    if constexpr (requires { typename Hashed::mapped_type; }) {
      return decode_into(std::vector<std::tuple<key, typename Hashed::mapped_type>>(), n, in);
    } else {
      return decode_into(std::vector<std::tuple<key>>(), n, in);
    }
  }
  template <class Vector> static Vector decode_into(Vector waiting, std::size_t n, reader& in) {
    waiting.reserve(room_for<typename Vector::value_type>(n, in));
    for (std::size_t i = 0; i < n; ++i) {
      decode_entry<Hashed>(in, [&waiting](auto&&... entry) { waiting.emplace_back(std::move(entry)...); });
    }
    return waiting;
  }
};

template <class Function>
concept stateless = std::default_initializable<Function>;

} // namespace lk::parallel::wire

namespace lk::parallel {

template <class T, class A> struct codec<std::vector<T, A>> : wire::sequence_codec<std::vector<T, A>> {
  static void encode(const std::vector<T, A>& elements, wire::writer& out) {
    wire::encode_elements(std::span<const T>(elements), out);
  }
  static std::vector<T, A> decode(wire::reader& in) {
    if constexpr (wire::is_flat<T>()) {
      return wire::decode_flat_vector<std::vector<T, A>>(in);
    } else {
      return wire::sequence_codec<std::vector<T, A>>::decode(in);
    }
  }
};

template <class A> struct codec<std::vector<bool, A>> {
  using parts = wire::types<bool>;
  static constexpr std::size_t min_size = sizeof(std::uint64_t);

  static void encode(const std::vector<bool, A>& bits, wire::writer& out) {
    out.put_length(bits.size());
    for (std::size_t i = 0; i < bits.size(); i += 8) {
      unsigned byte = 0;
      for (std::size_t j = i; j < std::min(i + 8, bits.size()); ++j) byte |= unsigned{bits[j]} << (j - i);
      out.put(static_cast<std::uint8_t>(byte));
    }
  }
  static std::vector<bool, A> decode(wire::reader& in) {
    const auto n = in.get<std::uint64_t>();
    if (n / 8 > in.remaining()) wire::throw_bad_length(n, in.remaining());
    std::vector<bool, A> bits(n);
    for (std::size_t i = 0; i < n; i += 8) {
      const auto byte = in.get<std::uint8_t>();
      for (std::size_t j = i; j < std::min(i + 8, bits.size()); ++j) bits[j] = (byte >> (j - i) & 1) != 0;
    }
    return bits;
  }
};

template <class T, class A> struct codec<std::deque<T, A>> : wire::sequence_codec<std::deque<T, A>> {};
template <class T, class A> struct codec<std::list<T, A>> : wire::sequence_codec<std::list<T, A>> {};

template <class K, class V, wire::stateless C, class A>
struct codec<std::map<K, V, C, A>> : wire::ordered_codec<std::map<K, V, C, A>> {};
template <class K, class V, wire::stateless C, class A>
struct codec<std::multimap<K, V, C, A>> : wire::ordered_codec<std::multimap<K, V, C, A>> {};
template <class K, wire::stateless C, class A>
struct codec<std::set<K, C, A>> : wire::ordered_codec<std::set<K, C, A>> {};
template <class K, wire::stateless C, class A>
struct codec<std::multiset<K, C, A>> : wire::ordered_codec<std::multiset<K, C, A>> {};

template <class K, class V, wire::stateless H, wire::stateless E, class A>
struct codec<std::unordered_map<K, V, H, E, A>> : wire::hashed_codec<std::unordered_map<K, V, H, E, A>> {};
template <class K, class V, wire::stateless H, wire::stateless E, class A>
struct codec<std::unordered_multimap<K, V, H, E, A>> : wire::hashed_codec<std::unordered_multimap<K, V, H, E, A>> {};
template <class K, wire::stateless H, wire::stateless E, class A>
struct codec<std::unordered_set<K, H, E, A>> : wire::hashed_codec<std::unordered_set<K, H, E, A>> {};
template <class K, wire::stateless H, wire::stateless E, class A>
struct codec<std::unordered_multiset<K, H, E, A>> : wire::hashed_codec<std::unordered_multiset<K, H, E, A>> {};

} // namespace lk::parallel
