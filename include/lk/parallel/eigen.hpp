// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <Eigen/Core>

#include <lk/parallel/wire/codec.hpp>

// Codecs of Eigen's dense matrices, vectors and arrays. Opt-in: who sends them includes this header and finds Eigen
// himself; <lk/parallel.hpp> does not. A Map, Ref, Block or unevaluated expression is refused as a view: name the
// result type of the function (`-> Eigen::VectorXf`), or call .eval().

namespace lk::parallel::wire {

template <class T>
requires std::is_base_of_v<Eigen::EigenBase<T>, T>
inline constexpr refusal refused_as<T> = refusal::view;

/// Shape (two 64-bit numbers), then the coefficients in storage order, by one memcpy.
template <class Plain> struct dense_codec {
  using scalar = typename Plain::Scalar;
  using parts = types<scalar>;
  static constexpr std::size_t min_size = 2 * sizeof(std::uint64_t);

  static void encode(const Plain& matrix, writer& out) {
    out.put_length(static_cast<std::size_t>(matrix.rows()));
    out.put_length(static_cast<std::size_t>(matrix.cols()));
    out.write(matrix.data(), static_cast<std::size_t>(matrix.size()) * sizeof(scalar));
  }

  static Plain decode(reader& in) {
    const auto rows = in.get<std::uint64_t>();
    const auto cols = in.get<std::uint64_t>();
    if (!fits(rows, Plain::RowsAtCompileTime, Plain::MaxRowsAtCompileTime) ||
        !fits(cols, Plain::ColsAtCompileTime, Plain::MaxColsAtCompileTime)) {
      throw_bad_value("a matrix of a shape that its type cannot have");
    }
    if (cols != 0 && rows > in.remaining() / sizeof(scalar) / cols) throw_bad_length(rows, in.remaining());
    Plain matrix;
    matrix.resize(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols));
    in.read(matrix.data(), static_cast<std::size_t>(matrix.size()) * sizeof(scalar));
    for (Eigen::Index i = 0; holds_bool<scalar>() && i < matrix.size(); ++i) check_bools(matrix.data()[i]);
    return matrix;
  }

 private:
  static bool fits(std::uint64_t extent, int fixed, int most) {
    if (fixed != Eigen::Dynamic) return extent == static_cast<std::uint64_t>(fixed);
    if (most != Eigen::Dynamic) return extent <= static_cast<std::uint64_t>(most);
    return extent <= static_cast<std::uint64_t>(std::numeric_limits<Eigen::Index>::max());
  }
};

} // namespace lk::parallel::wire

namespace lk::parallel {

template <class Scalar, int Rows, int Cols, int Options, int MaxRows, int MaxCols>
requires(wire::is_flat<Scalar>()) struct codec<Eigen::Matrix<Scalar, Rows, Cols, Options, MaxRows, MaxCols>>
    : wire::dense_codec<Eigen::Matrix<Scalar, Rows, Cols, Options, MaxRows, MaxCols>> {
};

template <class Scalar, int Rows, int Cols, int Options, int MaxRows, int MaxCols>
requires(wire::is_flat<Scalar>()) struct codec<Eigen::Array<Scalar, Rows, Cols, Options, MaxRows, MaxCols>>
    : wire::dense_codec<Eigen::Array<Scalar, Rows, Cols, Options, MaxRows, MaxCols>> {
};

} // namespace lk::parallel
