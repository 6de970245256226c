// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

// What is computed: a model, arguments, a function, and a digest of each result, so that everybody's results can be
// compared. Nothing here knows who computes it. The functions are not inlined, so that everybody runs the same code.

namespace side_by_side {

/// 64 bits of a result's bytes that change with any of them.
template <class T> std::uint64_t digest_bytes(std::span<const T> values) {
  std::uint64_t digest = 0;
  for (const std::byte* at = std::as_bytes(values).data(); const T& each : values) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, std::min(sizeof each, sizeof word));
    digest = digest * 31 + word;
    at += sizeof each;
  }
  return digest;
}

template <class T> std::vector<T> random_values(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::uniform_real_distribution<T> values(-1, 1);
  std::vector<T> all(n);
  for (T& value : all) value = values(rng);
  return all;
}

/// Tasks that do next to nothing.
struct tiny {
  static constexpr const char* name = "tiny";
  using model_type = std::int64_t;
  using argument = std::int64_t;
  using result = std::int64_t;
  static constexpr std::size_t batch = 4096;
  static model_type model(bool) { return 3; }
  static std::vector<argument> arguments(bool quick) {
    std::vector<argument> all(quick ? 100'000 : 200'000);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<argument>(i);
    return all;
  }
  static result apply(const model_type& m, argument x) { return x * x + m; }
  static std::uint64_t digest(result r) { return static_cast<std::uint64_t>(r); }
};

/// A thousand by a thousand doubles times a vector that travels; 8 kB each way.
struct matvec {
  static constexpr const char* name = "matvec";
  static constexpr std::size_t size = 1000;
  using model_type = std::vector<double>;
  using argument = std::vector<double>;
  using result = std::vector<double>;
  static constexpr std::size_t batch = 8;
  static model_type model(bool) { return random_values<double>(size * size, 1); }
  static std::vector<argument> arguments(bool quick) {
    std::vector<argument> all;
    for (std::size_t i = 0; i < (quick ? 400u : 2000u); ++i) all.push_back(random_values<double>(size, i));
    return all;
  }
  [[gnu::noinline]] static result apply(const model_type& m, const argument& x) {
    result y(size);
    for (std::size_t row = 0; row < size; ++row) {
      double sums[8] = {}; // in a fixed order, so that everybody's bits are the same
      for (std::size_t column = 0; column < size; column += 8)
        for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += m[row * size + column + lane] * x[column + lane];
      y[row] = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    }
    return y;
  }
  static std::uint64_t digest(const result& r) { return digest_bytes(std::span(r)); }
};

/// The best 100 unseen of 3,706 items for each of 6,040 users, by 64 features.
struct top_n {
  static constexpr const char* name = "topn";
  static constexpr std::size_t n_users = 6040, n_items = 3706, n_features = 64, n_seen = 165, length = 100;
  struct scored {
    std::uint32_t item;
    float score;
  };
  struct model_type {
    std::vector<float> users, items;
    std::vector<std::vector<std::uint32_t>> seen;
  };
  using argument = std::uint32_t;
  using result = std::vector<scored>;
  static constexpr std::size_t batch = 16;
  static model_type model(bool) {
    model_type made{random_values<float>(n_users * n_features, 1), random_values<float>(n_items * n_features, 2), {}};
    std::mt19937 rng(3);
    for (std::size_t user = 0; user < n_users; ++user) {
      std::vector<std::uint32_t> seen(n_seen);
      for (std::uint32_t& item : seen) item = static_cast<std::uint32_t>(rng() % n_items);
      std::sort(seen.begin(), seen.end());
      made.seen.push_back(std::move(seen));
    }
    return made;
  }
  static std::vector<argument> arguments(bool quick) {
    std::vector<argument> all(quick ? n_users / 4 : n_users);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<argument>(i);
    return all;
  }
  [[gnu::noinline]] static result apply(const model_type& m, argument user) {
    thread_local std::vector<scored> candidates;
    candidates.clear();
    const float* const taste = m.users.data() + user * n_features;
    auto seen = m.seen[user].begin();
    const auto end_of_seen = m.seen[user].end();
    for (std::uint32_t item = 0; item < n_items; ++item) {
      while (seen != end_of_seen && *seen < item) ++seen;
      if (seen != end_of_seen && *seen == item) continue;
      const float* const features = m.items.data() + item * n_features;
      float sums[8] = {};
      for (std::size_t i = 0; i < n_features; i += 8)
        for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += taste[i + lane] * features[i + lane];
      candidates.push_back(
          {item, ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))});
    }
    const auto better = [](const scored& a, const scored& b) {
      return a.score != b.score ? a.score > b.score : a.item < b.item;
    };
    const auto end = candidates.begin() + length;
    std::nth_element(candidates.begin(), end, candidates.end(), better);
    std::sort(candidates.begin(), end, better);
    return {candidates.begin(), end};
  }
  static std::uint64_t digest(const result& r) { return digest_bytes(std::span(r)); }
};

/// 64 KiB of results for each task.
struct big_result {
  static constexpr const char* name = "bigresult";
  static constexpr std::size_t bytes = 64 << 10;
  using model_type = std::vector<char>;
  using argument = std::uint32_t;
  using result = std::vector<char>;
  static constexpr std::size_t batch = 4;
  static model_type model(bool) { return std::vector<char>(bytes, 'm'); }
  static std::vector<argument> arguments(bool quick) { return std::vector<argument>(quick ? 1000 : 5000, 7); }
  static result apply(const model_type& m, argument) { return m; }
  static std::uint64_t digest(const result& r) {
    return static_cast<std::uint64_t>(r.size()) * 256 + static_cast<unsigned char>(r.front()) +
           static_cast<unsigned char>(r.back());
  }
};

/// Most tasks take microseconds, some a thousand times longer: 20 microseconds / u, u uniform in (0, 1], at most 20 ms.
struct skewed {
  static constexpr const char* name = "skewed";
  using model_type = int;
  using argument = std::int64_t; ///< nanoseconds
  using result = std::int64_t;
  static constexpr std::size_t batch = 1;
  static model_type model(bool) { return 0; }
  static std::vector<argument> arguments(bool quick) {
    std::mt19937_64 rng(5);
    std::vector<argument> all(quick ? 400 : 2000);
    for (argument& time : all) {
      const double u = static_cast<double>((rng() >> 11) + 1) * 0x1p-53;
      time = static_cast<argument>(std::min(20e3 / u, 20e6));
    }
    return all;
  }
  static result apply(const model_type&, argument time) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(time);
    while (std::chrono::steady_clock::now() < end) {
    }
    return time;
  }
  static std::uint64_t digest(result r) { return static_cast<std::uint64_t>(r); }
};

/// A model of a GiB, of which each of 200 tasks reads a MiB.
struct big_model {
  static constexpr const char* name = "bigmodel";
  using model_type = std::vector<char>;
  using argument = std::uint32_t;
  using result = std::uint64_t;
  static constexpr std::size_t batch = 1;
  static model_type model(bool quick) { return std::vector<char>(std::size_t{quick ? 256u : 1024u} << 20, 'm'); }
  static std::vector<argument> arguments(bool) {
    std::vector<argument> all(200);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<argument>(i);
    return all;
  }
  [[gnu::noinline]] static result apply(const model_type& m, argument which) {
    constexpr std::size_t mib = std::size_t{1} << 20;
    const std::size_t begin = (which * std::size_t{7} * mib) % (m.size() - mib);
    std::uint64_t sum = 0;
    for (std::size_t at = begin; at < begin + mib; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, m.data() + at, sizeof word);
      sum += word;
    }
    return sum;
  }
  static std::uint64_t digest(result r) { return r; }
};

} // namespace side_by_side
