// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <lk/parallel/wire/aggregate.hpp>
#include <lk/parallel/wire/cursor.hpp>
#include <lk/parallel/wire/require.hpp>

// A value as bytes and back. The general codec serves what needs no code of its own: numbers, enumerations, trivially
// copyable classes, and aggregates, member by member; std_codecs.hpp adds the standard vocabulary and users specialise
// codec for the rest. Where the bytes of a type are its value ("flat"), they go by one memcpy. It does not know what
// the values are for.

namespace lk::parallel::wire {

/// Whether T goes by one memcpy. An aggregate does if every member does.
template <class T> consteval bool is_flat();
template <class... Members> consteval bool all_flat(types<Members...>) { return (is_flat<Members>() && ...); }

template <class T> consteval bool is_flat() {
  using plain = std::remove_cv_t<T>;
  if constexpr (std::is_arithmetic_v<plain>) {
    return true;
  } else if constexpr (std::is_bounded_array_v<plain>) {
    return is_flat<std::remove_extent_t<plain>>();
  } else if constexpr (!std::is_trivially_copyable_v<plain> || std::is_pointer_v<plain> || has_own_codec<plain>) {
    return false;
  } else if constexpr (requires { codec<plain>::flat; }) {
    return codec<plain>::flat;
  } else if constexpr (requires { typename codec<plain>::parts; }) {
    return false;
  } else if constexpr (std::is_aggregate_v<plain>) {
    return all_flat(member_types<plain>{});
  } else {
    return true;
  }
}

/// Whether T is a class whose members are visited one by one.
template <class T> consteval bool visitable() {
  if constexpr (std::is_array_v<T>) {
    return false;
  } else {
    return std::is_aggregate_v<T> && !requires { typename codec<T>::parts; };
  }
}

/// Whether a flat T holds a bool, the one scalar that not every bit pattern fits.
template <class T> consteval bool holds_bool();
template <class... Parts> consteval bool any_holds_bool(types<Parts...>) { return (holds_bool<Parts>() || ...); }

template <class T> consteval bool holds_bool() {
  using plain = std::remove_cv_t<T>;
  if constexpr (std::is_array_v<plain>) {
    return holds_bool<std::remove_extent_t<plain>>();
  } else if constexpr (requires { typename codec<plain>::parts; }) {
    return any_holds_bool(typename codec<plain>::parts{});
  } else if constexpr (visitable<plain>()) {
    return any_holds_bool(member_types<plain>{});
  } else {
    return std::is_same_v<plain, bool>;
  }
}

[[noreturn, gnu::cold, gnu::noinline]] inline void throw_bad_bool() {
  throw_bad_value("a bool that is neither true nor false");
}

/// Looks at every bool in a flat value without reading it as one. Throws: wire_error.
template <class T> void check_bools(const T& value) {
  if constexpr (!holds_bool<T>()) {
    return;
  } else if constexpr (std::is_same_v<T, bool>) {
    static_assert(sizeof(bool) == 1);
    if (reinterpret_cast<const unsigned char&>(value) > 1) throw_bad_bool();
  } else if constexpr (!visitable<T>()) {
    for (const auto& element : value) check_bools(element); // an array, or std::array
  } else {
    visit_members(value, [](auto, const auto&... members) { (check_bools(members), ...); });
  }
}

/// A small value that is the same as its bytes, whatever they are: nothing can be wrong with it but its length.
template <class T>
concept plain_bytes =
    std::is_trivially_copyable_v<T> && !std::is_empty_v<T> && sizeof(T) <= 64 && is_flat<T>() && !holds_bool<T>();

/// The fewest bytes a T can take; 0 where a user's codec decides. It bounds what a length on the wire may claim.
template <class T> consteval std::size_t min_size();
template <class... Members> consteval std::size_t sum_of_min_sizes(types<Members...>) {
  return sizeof...(Members) == 0 ? 1 : (std::size_t{0} + ... + min_size<Members>());
}

template <class T> consteval std::size_t min_size() {
  using plain = std::remove_cv_t<T>;
  if constexpr (is_flat<plain>()) {
    return sizeof(plain);
  } else if constexpr (std::is_array_v<plain>) {
    return std::extent_v<plain> * min_size<std::remove_extent_t<plain>>();
  } else if constexpr (has_own_codec<plain>) {
    return 0;
  } else if constexpr (requires { typename codec<plain>::parts; }) {
    return codec<plain>::min_size;
  } else {
    return sum_of_min_sizes(member_types<plain>{});
  }
}

/// Appends value to out. This and decode are what the codec of a user's type calls for its members.
/// Throws: what the codec throws; wire_error where containers nest deeper than max_depth.
template <class T> void encode(const T& value, writer& out) {
  if constexpr (std::is_empty_v<T> && is_flat<T>()) {
    out.put(std::uint8_t{0}); // its one byte is padding, which may hold anything
  } else if constexpr (is_flat<T>()) {
    out.put(value);
  } else if constexpr (std::is_array_v<T>) {
    for (const auto& element : value) encode(element, out);
  } else if constexpr (has_own_codec<T>) {
    const nested level(out);
    codec<T>::encode(value, out);
  } else {
    codec<T>::encode(value, out);
  }
}

/// Takes the next T off in. Throws: wire_error where the bytes are no T; what the codec throws.
template <class T> T decode(reader& in) {
  if constexpr (has_own_codec<T>) {
    const nested level(in);
    return codec<T>::decode(in);
  } else {
    return codec<T>::decode(in);
  }
}

/// Decodes into a member that exists already; an array can be had in no other way.
template <class T> void decode_into(T& member, reader& in) {
  if constexpr (std::is_array_v<T>) {
    for (auto& element : member) decode_into(element, in);
  } else {
    member = decode<T>(in);
  }
}

/// A flat T, its bools checked.
template <class T> T decode_flat(reader& in) {
  if constexpr (std::is_same_v<T, bool>) {
    const auto byte = in.get<std::uint8_t>();
    if (byte > 1) [[unlikely]]
      throw_bad_bool();
    return byte != 0;
  } else if constexpr (sizeof(T) > 64 && std::is_default_constructible_v<T> && std::is_copy_assignable_v<T>) {
    T value;
    in.read(std::addressof(value), sizeof(T));
    check_bools(value);
    return value;
  } else {
    const T value = in.get<T>();
    check_bools(value);
    return value;
  }
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion" // a bit-field member is initialised from its whole type
template <class T, class... Members> T decode_members(types<Members...>, reader& in) {
  if constexpr ((std::is_array_v<Members> || ...)) {
    T whole{};
    visit_members(whole, [&in](auto, auto&... members) { (decode_into(members, in), ...); });
    return whole;
  } else {
    return T{decode<std::remove_cv_t<Members>>(in)...}; // braces: left to right
  }
}
#pragma GCC diagnostic pop

} // namespace lk::parallel::wire

namespace lk::parallel {

/// How a T travels. Specialise it for a type of your own:
/// static void encode(const T&, wire::writer&); static T decode(wire::reader&);
/// This general one takes trivially copyable types and aggregates as they are.
template <class T> struct codec {
  /// Tells this codec from those that users write.
  using general = void;

  /// Appends the value to a message.
  static void encode(const T& value, wire::writer& out) {
    wire::require_codable<T>();
    if constexpr (wire::is_flat<T>()) {
      out.put(value);
    } else if constexpr (wire::count_members<T>() == 0) {
      out.put(std::uint8_t{0}); // every element takes a byte, so that a count can be checked against the bytes left
    } else {
      wire::visit_members(value, [&out](auto, const auto&... members) { (wire::encode(members, out), ...); });
    }
  }

  /// Takes the next T off a message. Throws: wire_error.
  static T decode(wire::reader& in) {
    wire::require_codable<T>();
    if constexpr (wire::is_flat<T>()) {
      return wire::decode_flat<T>(in);
    } else if constexpr (wire::count_members<T>() == 0) {
      static_cast<void>(in.take(1));
      return T{};
    } else {
      return wire::decode_members<T>(wire::member_types<T>{}, in);
    }
  }
};

} // namespace lk::parallel
