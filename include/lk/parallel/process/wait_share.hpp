// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

// How often the host has nothing to do but wait for its workers: whether they are what everybody waits for, or it is.

namespace lk::parallel::process {

/// The share of the last dozens of looks that were followed by a wait.
class wait_share {
 public:
  void note_look() { share_ -= share_ * weight; }
  void note_wait() { share_ += weight; }
  bool are_many() const { return share_ > 1.0 / 8; }

 private:
  static constexpr double weight = 1.0 / 32;
  double share_ = 0;
};

} // namespace lk::parallel::process
