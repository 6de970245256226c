// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <utility>

#include <lk/parallel/backends/result_stream.hpp>
#include <lk/parallel/base/error.hpp>

// What map, map_unordered and map_outcomes return: an input range over a result_stream. The three differ in what they
// make of a completion.

namespace lk::parallel {

/// The results of a map, as an input range that is passed through once: what map, map_unordered and map_outcomes
/// return. The range is alive from its making until its last element was taken, an error was thrown from it, or it is
/// gone. Threads: one at a time. Lifetime: may outlive its invoker; moving on in it is a usage_error then.
template <class R, class Shape> class basic_result_range : public std::ranges::view_base {
 public:
  /// The result, an indexed_result, or an outcome.
  using value_type = typename Shape::value_type;

  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = basic_result_range::value_type;

    iterator() = default;
    iterator(iterator&&) = default;
    iterator& operator=(iterator&&) = default;

    value_type& operator*() const { return range_->current_.get(); }
    iterator& operator++() {
      range_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& it, std::default_sentinel_t) { return it.at_end(); }

   private:
    friend basic_result_range;
    bool at_end() const { return !range_->current_.is_there(); }
    explicit iterator(basic_result_range& range) : range_(&range) {}
    basic_result_range* range_ = nullptr;
  };

  /// Made by the invoker.
  explicit basic_result_range(std::unique_ptr<backends::result_stream<R>> stream) : stream_(std::move(stream)) {}
  basic_result_range(basic_result_range&&) = default;
  basic_result_range& operator=(basic_result_range&&) = default;

  /// Starts the map. Blocks: until the first result is there. Throws: as ++ does.
  iterator begin() {
    if (!started_) advance();
    started_ = true;
    return iterator(*this);
  }
  /// What an iterator behind the last result equals.
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  /// Throws: a task's error (map and map_unordered), an error of the source or of the pool; the range is at its end
  /// afterwards.
  void advance() {
    if (!stream_) throw usage_error("this range was moved from; use the one it was moved to");
    current_.reset();
    if (auto* const next = stream_->next()) {
      try {
        current_.show(*next);
      } catch (...) {
        stream_->end();
        throw;
      }
    }
  }

  std::unique_ptr<backends::result_stream<R>> stream_;
  Shape current_;
  bool started_ = false;
};

namespace backends {

/// A part of the stream's current completion, where it lies.
template <class T> class current_element {
 public:
  using value_type = T;
  bool is_there() const { return at_ != nullptr; }
  T& get() const { return *at_; }
  void reset() { at_ = nullptr; }

 protected:
  T* at_ = nullptr;
};

/// Its value. show() throws: the task's error.
template <class R> struct plain_shape : current_element<result_value<R>> {
  void show(completion<R>& done) { this->at_ = &done.what.value(); }
};
template <class R> struct outcome_shape : current_element<outcome<R>> {
  void show(completion<R>& done) { this->at_ = &done.what; }
};

/// Its value, with its index.
template <class R> class indexed_shape {
 public:
  using value_type = indexed_result<R>;
  bool is_there() const { return made_.has_value(); }
  value_type& get() { return *made_; }
  void reset() { made_.reset(); }
  void show(completion<R>& done) { made_.emplace(done.index, std::move(done.what).value()); }

 private:
  std::optional<value_type> made_;
};

} // namespace backends

/// The results of map: R, or std::monostate for void.
template <class R> using result_range = basic_result_range<R, backends::plain_shape<R>>;
/// The results of map_unordered: indexed_result.
template <class R> using indexed_result_range = basic_result_range<R, backends::indexed_shape<R>>;
/// The results of map_outcomes: outcome.
template <class R> using outcome_range = basic_result_range<R, backends::outcome_shape<R>>;

} // namespace lk::parallel
