// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <coroutine>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <ranges>
#include <source_location>
#include <span>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <typeindex>

#include <lk/parallel/wire/aggregate.hpp>
#include <lk/parallel/wire/cursor.hpp>

// Which types may travel, and the sentence for each that may not. A type is looked through down to its last member,
// recursive types included; the verdict names the part that spoils it. The front asks here before it instantiates a
// codec, so that a user reads one sentence instead of a page of templates. Nothing here runs: it is all decided while
// compiling.

namespace lk::parallel {
template <class T> struct codec;
}

namespace lk::parallel::wire {

/// Why a type may not travel.
enum class refusal {
  none,
  pointer,
  reference,
  view,
  iterator,
  immovable,
  misshapen_codec,
  union_type,
  has_base,
  too_many_members,
  unknown_members,
  rigid_array,
  no_codec
};

template <refusal Why, class Culprit> struct verdict {
  static constexpr refusal why = Why;
  using culprit = Culprit;
};
using accepted = verdict<refusal::none, void>;

/// Library types that would pass for plain bytes, or that deserve a better sentence than "no codec".
template <class T> inline constexpr refusal refused_as = refusal::none;
template <class T> inline constexpr refusal refused_as<std::reference_wrapper<T>> = refusal::reference;
template <class T> inline constexpr refusal refused_as<std::shared_ptr<T>> = refusal::pointer;
template <class T> inline constexpr refusal refused_as<std::weak_ptr<T>> = refusal::pointer;
template <class T> inline constexpr refusal refused_as<std::coroutine_handle<T>> = refusal::pointer;
template <> inline constexpr refusal refused_as<std::error_code> = refusal::pointer;
template <> inline constexpr refusal refused_as<std::error_condition> = refusal::pointer;
template <> inline constexpr refusal refused_as<std::source_location> = refusal::pointer;
template <> inline constexpr refusal refused_as<std::type_index> = refusal::pointer;
template <class T> inline constexpr refusal refused_as<std::initializer_list<T>> = refusal::view;
template <class T, std::size_t N> inline constexpr refusal refused_as<std::span<T, N>> = refusal::view;
template <class C, class Traits> inline constexpr refusal refused_as<std::basic_string_view<C, Traits>> = refusal::view;

/// A codec of this library names the types it is made of (parts), or is the general one; any other is the user's.
template <class T>
concept has_own_codec = !requires {
  typename codec<T>::parts;
}
&&!requires { typename codec<T>::general; };

template <class T>
concept has_whole_codec = requires(const T& value, writer& out, reader& in) {
  codec<T>::encode(value, out);
  { codec<T>::decode(in) } -> std::same_as<T>;
};

template <class T, class... Seen> consteval auto inspect(types<Seen...> seen);

template <class... Seen> consteval auto inspect_each(types<>, types<Seen...>) { return accepted{}; }
template <class First, class... Rest, class... Seen>
consteval auto inspect_each(types<First, Rest...>, types<Seen...> seen) {
  using found = decltype(inspect<First>(seen));
  if constexpr (found::why != refusal::none) {
    return found{};
  } else {
    return inspect_each(types<Rest...>{}, seen);
  }
}

/// An array member can only be filled after the whole is there, which needs one that can be made empty and assigned.
template <class T, class... Members> consteval bool can_be_filled(types<Members...>) {
  return std::is_trivially_copyable_v<T> || !(std::is_array_v<Members> || ...) ||
         (std::is_default_constructible_v<T> && std::is_move_assignable_v<T>);
}

/// The verdict on an aggregate, or on another class that no codec was written for.
template <class T, class... Seen> consteval auto inspect_class(types<Seen...>) {
  if constexpr (std::is_union_v<T>) {
    return verdict<refusal::union_type, T>{};
  } else if constexpr (std::input_or_output_iterator<T>) {
    return verdict<refusal::iterator, T>{};
  } else if constexpr (std::ranges::view<T>) {
    return verdict<refusal::view, T>{};
  } else if constexpr (!std::is_aggregate_v<T>) {
    constexpr refusal why = std::is_trivially_copyable_v<T> ? refusal::none : refusal::no_codec;
    return verdict<why, T>{};
  } else if constexpr (has_base<T>) {
    return verdict<refusal::has_base, T>{};
  } else if constexpr (constexpr std::size_t n = count_members<T>(); n > max_members) {
    constexpr refusal why = n == not_countable ? refusal::unknown_members : refusal::too_many_members;
    return verdict<why, T>{};
  } else if constexpr (!can_be_filled<T>(member_types<T>{})) {
    return verdict<refusal::rigid_array, T>{};
  } else {
    return inspect_each(member_types<T>{}, types<Seen..., T>{});
  }
}

/// The verdict on T inside the types seen so far; one of those again is fine, for that is how a type recurs.
template <class T, class... Seen> consteval auto inspect(types<Seen...> seen) {
  using plain = std::remove_cv_t<T>;
  if constexpr (std::is_reference_v<T>) {
    return verdict<refusal::reference, T>{};
  } else if constexpr (std::is_arithmetic_v<plain> || (std::is_same_v<plain, Seen> || ...)) {
    return accepted{};
  } else if constexpr (std::is_bounded_array_v<plain>) {
    return inspect<std::remove_extent_t<plain>>(seen);
  } else if constexpr (!std::is_object_v<plain> || std::is_array_v<plain>) {
    return verdict<refusal::no_codec, plain>{};
  } else if constexpr (has_own_codec<plain>) {
    constexpr refusal why = has_whole_codec<plain> ? refusal::none : refusal::misshapen_codec;
    return verdict<why, plain>{};
  } else if constexpr (std::is_enum_v<plain>) {
    return accepted{};
  } else if constexpr (std::is_pointer_v<plain> || std::is_member_pointer_v<plain> || std::is_null_pointer_v<plain>) {
    return verdict<refusal::pointer, plain>{};
  } else if constexpr (requires { typename codec<plain>::parts; }) {
    return inspect_each(typename codec<plain>::parts{}, types<Seen..., plain>{});
  } else if constexpr (refused_as<plain> != refusal::none) {
    return verdict<refused_as<plain>, plain>{};
  } else if constexpr (!std::move_constructible<plain>) {
    return verdict<refusal::immovable, plain>{};
  } else {
    return inspect_class<plain>(seen);
  }
}

template <class T> struct value_verdict : decltype(inspect<T>(types<>{})) {};
template <class T>
requires std::is_array_v<T>
struct value_verdict<T> : verdict<refusal::no_codec, T> {
};

/// string_view and span are read on the spot and copied, so as a whole argument they are harmless.
template <class T> struct argument_verdict : value_verdict<T> {};
template <class C, class Traits> struct argument_verdict<std::basic_string_view<C, Traits>> : value_verdict<C> {};
template <class T, std::size_t N> struct argument_verdict<std::span<T, N>> : value_verdict<T> {};

template <class T> struct result_verdict : value_verdict<T> {};
template <> struct result_verdict<void> : accepted {};

} // namespace lk::parallel::wire

namespace lk::parallel {

/// T can be written to a message and read back as an equal value.
template <class T>
concept codable = wire::value_verdict<std::remove_cv_t<T>>::why == wire::refusal::none;
/// As an argument of a task, also std::string_view and std::span, whose elements are copied.
template <class T>
concept codable_argument = wire::argument_verdict<std::remove_cv_t<T>>::why == wire::refusal::none;
/// As a result of a task, also void.
template <class T>
concept codable_result = wire::result_verdict<std::remove_cv_t<T>>::why == wire::refusal::none;

} // namespace lk::parallel
