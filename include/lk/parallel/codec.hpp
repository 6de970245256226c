// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <lk/parallel/wire/argument_codec.hpp>
#include <lk/parallel/wire/codec.hpp>
#include <lk/parallel/wire/container_codecs.hpp>
#include <lk/parallel/wire/std_codecs.hpp>

// Own types as arguments and results. Trivially copyable types, aggregates of up to 16 codable members, and the
// standard vocabulary work as they are. For any other type specialise lk::parallel::codec:
//
//   template <> struct lk::parallel::codec<my::date> {
//     static void encode(const my::date& d, wire::writer& out) { wire::encode(d.days_since_epoch(), out); }
//     static my::date decode(wire::reader& in) { return my::date(wire::decode<int>(in)); }
//   };
//
// What must be known: codable<T>, codable_argument<T> and codable_result<T> say whether a type can travel;
// wire::encode and wire::decode<T> serve the members; wire_error is what a decode throws on bytes that make no sense.
// Codecs of Eigen's dense matrices are in <lk/parallel/eigen.hpp>.
