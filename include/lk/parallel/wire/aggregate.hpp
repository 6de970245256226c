// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

// Aggregates taken apart without a macro: how many members one has, and a call with all of them. The count asks which
// of T{{}}, T{{}, {}}, ... compile: each pair of braces initialises exactly one member, also an array, which would
// swallow several bare initialisers. Only the codecs use this; it does not know what is done with the members.

namespace lk::parallel::wire {

template <class...> struct types {};

/// Most members an aggregate may have.
inline constexpr std::size_t max_members = 16;
/// The count of an aggregate that has more, and of one that cannot be taken apart.
inline constexpr std::size_t more_than_max = max_members + 1;
inline constexpr std::size_t not_countable = max_members + 2;

/// What a member can be made of where {} does not do: it has no default constructor, or is a reference.
struct any_value {
  template <class T> operator T() const noexcept; // never defined: only named inside requires
};
struct any_lvalue {
  template <class T> operator T&() const noexcept;
};

/// Becomes a base of T and nothing else.
template <class T> struct any_base_of {
  template <class Base>
  requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>) operator Base() const noexcept;
};

template <class T>
concept has_base = requires {
  T{any_base_of<T>{}};
};

template <class T, class Any, std::size_t... Idx> consteval bool takes_any(std::index_sequence<Idx...>) {
  return requires { T{(static_cast<void>(Idx), Any{})...}; };
}
template <class T, class Any, std::size_t N = more_than_max> consteval std::size_t count_by_conversion() {
  if constexpr (takes_any<T, Any>(std::make_index_sequence<N>{})) {
    return N;
  } else if constexpr (N == 0) {
    return not_countable;
  } else {
    return count_by_conversion<T, Any, N - 1>();
  }
}

// clang-format off
template <class T> consteval std::size_t count_members() {
  if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; })
    return more_than_max;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 16;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 15;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 14;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 13;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 12;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 11;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 10;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}}; }) return 9;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}}; }) return 8;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}}; }) return 7;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}}; }) return 6;
  else if constexpr (requires { T{{}, {}, {}, {}, {}}; }) return 5;
  else if constexpr (requires { T{{}, {}, {}, {}}; }) return 4;
  else if constexpr (requires { T{{}, {}, {}}; }) return 3;
  else if constexpr (requires { T{{}, {}}; }) return 2;
  else if constexpr (requires { T{{}}; }) return 1;
  else if constexpr (requires { T{}; }) return 0;
  else if constexpr (count_by_conversion<T, any_value>() != not_countable) return count_by_conversion<T, any_value>();
  else return count_by_conversion<T, any_lvalue>();
}

/// Calls fn(types<declared types of the members...>, members...). The members are as const as the aggregate is.
template <class T, class Fn> constexpr decltype(auto) visit_members(T& whole, Fn&& fn) {
  constexpr std::size_t count = count_members<std::remove_const_t<T>>();
  static_assert(count <= max_members);
  if constexpr (count == 0) {
    return fn(types<>{});
  } else if constexpr (count == 1) {
    auto& [a] = whole;
    return fn(types<decltype(a)>{}, a);
  } else if constexpr (count == 2) {
    auto& [a, b] = whole;
    return fn(types<decltype(a), decltype(b)>{}, a, b);
  } else if constexpr (count == 3) {
    auto& [a, b, c] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c)>{}, a, b, c);
  } else if constexpr (count == 4) {
    auto& [a, b, c, d] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d)>{}, a, b, c, d);
  } else if constexpr (count == 5) {
    auto& [a, b, c, d, e] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d), decltype(e)>{}, a, b, c, d, e);
  } else if constexpr (count == 6) {
    auto& [a, b, c, d, e, f] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d), decltype(e), decltype(f)>{}, a, b, c, d, e,
              f);
  } else if constexpr (count == 7) {
    auto& [a, b, c, d, e, f, g] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d), decltype(e), decltype(f), decltype(g)>{}, a,
              b, c, d, e, f, g);
  } else if constexpr (count == 8) {
    auto& [a, b, c, d, e, f, g, h] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d), decltype(e), decltype(f), decltype(g),
              decltype(h)>{}, a, b, c, d, e, f, g, h);
  } else if constexpr (count == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d), decltype(e), decltype(f), decltype(g),
              decltype(h), decltype(i)>{}, a, b, c, d, e, f, g, h, i);
  } else if constexpr (count == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d), decltype(e), decltype(f), decltype(g),
              decltype(h), decltype(i), decltype(j)>{}, a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (count == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d), decltype(e), decltype(f), decltype(g),
              decltype(h), decltype(i), decltype(j), decltype(k)>{}, a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (count == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d), decltype(e), decltype(f), decltype(g),
              decltype(h), decltype(i), decltype(j), decltype(k), decltype(l)>{}, a, b, c, d, e, f, g, h, i, j, k,
              l);
  } else if constexpr (count == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d), decltype(e), decltype(f), decltype(g),
              decltype(h), decltype(i), decltype(j), decltype(k), decltype(l), decltype(m)>{}, a, b, c, d, e, f, g,
              h, i, j, k, l, m);
  } else if constexpr (count == 14) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d), decltype(e), decltype(f), decltype(g),
              decltype(h), decltype(i), decltype(j), decltype(k), decltype(l), decltype(m), decltype(n)>{}, a, b, c,
              d, e, f, g, h, i, j, k, l, m, n);
  } else if constexpr (count == 15) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d), decltype(e), decltype(f), decltype(g),
              decltype(h), decltype(i), decltype(j), decltype(k), decltype(l), decltype(m), decltype(n),
              decltype(o)>{}, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
  } else if constexpr (count == 16) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = whole;
    return fn(types<decltype(a), decltype(b), decltype(c), decltype(d), decltype(e), decltype(f), decltype(g),
              decltype(h), decltype(i), decltype(j), decltype(k), decltype(l), decltype(m), decltype(n),
              decltype(o), decltype(p)>{}, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
  }
}
// clang-format on

/// types<...> of the members as a const T shows them: `const int` for an int, `int&` for a reference.
template <class T>
using member_types =
    decltype(visit_members(std::declval<const T&>(), [](auto declared, const auto&...) { return declared; }));

} // namespace lk::parallel::wire
