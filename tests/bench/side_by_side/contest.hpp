// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sys/resource.h>

// How one contestant computes one workload is measured: wall time of two passes over the arguments on one pool, the way
// to the first result, CPU time of this process and of all that it has forked, and a checksum that knows the order.

namespace side_by_side {

using clock = std::chrono::steady_clock;

inline double seconds_since(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

/// Units: seconds, of user and system together.
inline double cpu_seconds(int who) {
  rusage used{};
  ::getrusage(who, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// Takes the results of one contestant, in order. Threads: one.
template <class W> class consumer {
 public:
  void begin_pass() { position_ = 0; }
  void take(const typename W::result& result) {
    if (n_taken_++ == 0) first_ = clock::now();
    checksum_ += ++position_ * W::digest(result);
  }
  clock::time_point first() const { return first_; }
  std::uint64_t checksum() const { return checksum_; }
  std::size_t n_taken() const { return n_taken_; }

 private:
  clock::time_point first_;
  std::uint64_t position_ = 0, checksum_ = 0;
  std::size_t n_taken_ = 0;
};

struct figures {
  double first_result = 0; ///< from before the pool is made. Units of all: seconds
  double work = 0;         ///< two passes
  double whole = 0;        ///< from before the pool is made until it is gone
  double cpu_here = 0;
  double cpu_workers = 0;    ///< of all processes that were forked
  double bytes_per_task = 0; ///< on the wire, where somebody counts them
  std::uint64_t checksum = 0;
};

/// One contestant in one workload: makes its pool, calls pass() twice, drops the pool.
template <class W> struct contestant {
  std::string name;
  std::function<void(const typename W::model_type&, const std::vector<typename W::argument>&, int n_workers,
                     consumer<W>&, const std::function<void(const std::function<void()>& pass)>& passes)>
      compete;
};

template <class W>
figures measure(const contestant<W>& one, const typename W::model_type& model,
                const std::vector<typename W::argument>& arguments, int n_workers) {
  figures got;
  consumer<W> results;
  const double cpu_here = cpu_seconds(RUSAGE_SELF), cpu_children = cpu_seconds(RUSAGE_CHILDREN);
  const auto begin = clock::now();
  one.compete(model, arguments, n_workers, results, [&](const std::function<void()>& pass) {
    const auto begin_work = clock::now();
    for (int i = 0; i < 2; ++i) {
      results.begin_pass();
      pass();
    }
    got.work = seconds_since(begin_work);
  });
  got.whole = seconds_since(begin);
  got.first_result = std::chrono::duration<double>(results.first() - begin).count();
  got.cpu_here = cpu_seconds(RUSAGE_SELF) - cpu_here;
  got.cpu_workers = cpu_seconds(RUSAGE_CHILDREN) - cpu_children;
  got.checksum = results.checksum();
  return got;
}

} // namespace side_by_side
