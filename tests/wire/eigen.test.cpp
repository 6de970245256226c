// lk-parallel | SPDX-License-Identifier: MIT
#include <complex>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <lk/parallel/eigen.hpp>

#include "support/catch.hpp"
#include "wire/round_trip.hpp"

using namespace lk::parallel;
using testing::decoded;
using testing::each_cut_is_refused;
using testing::encoded;
using testing::round_trip;

namespace {

using shape = std::pair<std::uint64_t, std::uint64_t>;

struct factors {
  Eigen::MatrixXf users;
  Eigen::Vector3d bias;
};

} // namespace

static_assert(codable<Eigen::MatrixXd> && codable<factors> && codable<std::vector<Eigen::VectorXf>>);
static_assert(wire::value_verdict<Eigen::Map<Eigen::VectorXf>>::why == wire::refusal::view);
static_assert(wire::value_verdict<Eigen::Ref<Eigen::VectorXf>>::why == wire::refusal::view);
static_assert(wire::value_verdict<decltype(Eigen::MatrixXf() * Eigen::VectorXf())>::why == wire::refusal::view);
static_assert(!codable<Eigen::Matrix<int*, 2, 2>>);

TEST_CASE("dense matrices, vectors and arrays travel, whatever their storage order and scalar") {
  const Eigen::MatrixXf dynamic = Eigen::MatrixXf::Random(5, 7);
  CHECK(round_trip(dynamic) == dynamic);
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = Eigen::MatrixXd::Random(3, 4);
  CHECK(round_trip(rows) == rows);
  const Eigen::Matrix3d fixed = Eigen::Matrix3d::Random();
  CHECK(round_trip(fixed) == fixed);
  const Eigen::VectorXcd complex = Eigen::VectorXcd::Random(4);
  CHECK(round_trip(complex) == complex);
  const Eigen::ArrayXXi numbers = Eigen::ArrayXXi::Random(2, 3);
  CHECK((round_trip(numbers) == numbers).all());
  const Eigen::Array<bool, Eigen::Dynamic, 1> bools = Eigen::ArrayXi::Random(9) > 0;
  CHECK((round_trip(bools) == bools).all());
  const Eigen::Matrix<float, Eigen::Dynamic, 1, 0, 8, 1> bounded = Eigen::VectorXf::Random(6);
  CHECK(round_trip(bounded) == bounded);
  CHECK(each_cut_is_refused(dynamic));
}

TEST_CASE("empty matrices keep their shape") {
  const auto back = round_trip(Eigen::MatrixXd(0, 5));
  CHECK(back.rows() == 0);
  CHECK(back.cols() == 5);
  CHECK(round_trip(Eigen::MatrixXd(5, 0)).rows() == 5);
}

TEST_CASE("matrices inside aggregates and containers travel") {
  const factors value{Eigen::MatrixXf::Random(2, 3), {1, 2, 3}};
  const factors back = round_trip(value);
  CHECK(back.users == value.users);
  CHECK(back.bias == value.bias);
  const std::vector<Eigen::VectorXf> list{Eigen::VectorXf::Random(3), Eigen::VectorXf::Random(1)};
  CHECK(round_trip(list) == list);
}

TEST_CASE("a shape that the type or the message cannot have is refused") {
  const std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  for (const shape& s : {shape{huge, 1}, shape{1, huge}, shape{huge, 0}, shape{std::uint64_t{1} << 62, 4},
                         shape{std::uint64_t{1} << 33, std::uint64_t{1} << 31}, shape{1, 1}}) {
    CHECK_THROWS_AS(decoded<Eigen::MatrixXf>(encoded(s)), wire_error);
  }
  CHECK_THROWS_AS(decoded<Eigen::VectorXf>(encoded(shape{0, 2})), wire_error);
  CHECK_THROWS_AS(decoded<Eigen::Matrix2f>(encoded(shape{3, 2})), wire_error);
  using bounded = Eigen::Matrix<float, Eigen::Dynamic, 1, 0, 8, 1>;
  CHECK_THROWS_AS(decoded<bounded>(encoded(shape{9, 1})), wire_error);
}
