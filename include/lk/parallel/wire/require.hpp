// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <lk/parallel/wire/refusal.hpp>

// The sentences a user reads when a type may not travel, in the user's words. The front and the general codec call
// these functions; each sentence has a case in tests/must_not_compile/ that provokes it.

namespace lk::parallel::wire {

/// Fails to compile with the reason; the compiler shows the culprit beside it.
template <refusal Why, class Culprit> consteval void explain_refusal() {
  static_assert(Why != refusal::pointer,
                "lk::parallel: a pointer means nothing in another process: send the object itself (by value, in a "
                "std::vector, in a std::unique_ptr), or specialise lk::parallel::codec; see docs/guide/own-types.md");
  static_assert(Why != refusal::reference,
                "lk::parallel: a reference cannot cross processes: send a copy of the object; see "
                "docs/guide/own-types.md");
  static_assert(Why != refusal::view,
                "lk::parallel: a view would be left without the memory it looks at: send the container itself "
                "(std::string, std::vector); std::string_view and std::span are accepted as a whole argument only; see "
                "docs/guide/own-types.md");
  static_assert(Why != refusal::iterator,
                "lk::parallel: an iterator points into a container of one process: send the element or its index; see "
                "docs/guide/own-types.md");
  static_assert(Why != refusal::immovable,
                "lk::parallel: a type that cannot be moved cannot be handed over: wrap it in a std::unique_ptr and "
                "specialise lk::parallel::codec for it; see docs/guide/own-types.md");
  static_assert(Why != refusal::misshapen_codec,
                "lk::parallel: codec<T> must have static void encode(const T&, wire::writer&) and static T "
                "decode(wire::reader&); see docs/guide/own-types.md");
  static_assert(Why != refusal::union_type,
                "lk::parallel: nobody can tell which member of a union is alive: use std::variant, or specialise "
                "lk::parallel::codec; see docs/guide/own-types.md");
  static_assert(Why != refusal::has_base,
                "lk::parallel: an aggregate with a base class cannot be taken apart: make the base a member, or "
                "specialise lk::parallel::codec; see docs/guide/own-types.md");
  static_assert(Why != refusal::too_many_members,
                "lk::parallel: an aggregate of more than 16 members cannot be taken apart: group some of them in a "
                "struct of their own, or specialise lk::parallel::codec; see docs/guide/own-types.md");
  static_assert(Why != refusal::unknown_members,
                "lk::parallel: this aggregate cannot be taken apart: specialise lk::parallel::codec for it; see "
                "docs/guide/own-types.md");
  static_assert(Why != refusal::rigid_array,
                "lk::parallel: an array member cannot be filled beside a const member or in a class without a default "
                "constructor: use std::array, or specialise lk::parallel::codec; see docs/guide/own-types.md");
  static_assert(Why != refusal::no_codec,
                "lk::parallel: this type has no codec: make it an aggregate of types that have one, specialise "
                "lk::parallel::codec for it, or include <lk/parallel/eigen.hpp> if it is an Eigen matrix; see "
                "docs/guide/own-types.md");
}

template <class T> consteval void require_codable() {
  using found = value_verdict<std::remove_cv_t<T>>;
  explain_refusal<found::why, typename found::culprit>();
}

/// Fails to compile, with the reason, where T cannot be the argument of a task.
template <class T> consteval void require_codable_argument() {
  using found = argument_verdict<std::remove_cv_t<T>>;
  static_assert(found::why == refusal::none,
                "lk::parallel::invoker: the argument type cannot be sent to another process; the next sentence says "
                "why");
  explain_refusal<found::why, typename found::culprit>();
}

/// Fails to compile, with the reason, where T cannot be the result of a task.
template <class T> consteval void require_codable_result() {
  using found = result_verdict<std::remove_cv_t<T>>;
  static_assert(found::why == refusal::none,
                "lk::parallel::invoker: the result type cannot be sent back from another process; the next sentence "
                "says why");
  explain_refusal<found::why, typename found::culprit>();
}

} // namespace lk::parallel::wire
