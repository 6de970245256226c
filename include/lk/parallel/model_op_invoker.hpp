// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

#include <lk/parallel/invoker.hpp>

// An invoker whose model and function are forgotten: only the types that go in and come out are left. For interfaces of
// libraries that are compiled once.

namespace lk::parallel {

namespace front {

/// A range of which only the element type is known. Reads its input as lazily as the input itself.
template <class Arg> class any_source : public std::ranges::view_base {
 public:
  template <std::ranges::input_range View> explicit any_source(View view) {
    auto input = std::make_shared<backends::source<View>>(std::move(view));
    next_ = [input](std::optional<Arg>& next) {
      if (input->has_next()) next.emplace(input->take());
    };
  }

  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = Arg;

    iterator() = default;
    explicit iterator(any_source& source) : source_(&source) {}
    iterator(iterator&&) = default;
    iterator& operator=(iterator&&) = default;
    Arg&& operator*() const { return std::move(*source_->current_); }
    iterator& operator++() {
      source_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& it, std::default_sentinel_t) { return it.at_end(); }

   private:
    bool at_end() const { return !source_->current_; }
    any_source* source_ = nullptr;
  };

  iterator begin() {
    advance();
    return iterator(*this);
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  void advance() {
    current_.reset();
    next_(current_);
  }

  std::function<void(std::optional<Arg>&)> next_;
  std::optional<Arg> current_;
};

} // namespace front

/// Made by moving any invoker in whose function takes an Arg and returns a Result.
/// Threads, Lifetime: as of the invoker. Source: lenskit.parallel.ModelOpInvoker.
template <class Arg, class Result> class ModelOpInvoker {
 public:
  /// Takes the invoker over.
  template <class Model, class Fn, bool NeedsCodecs>
  requires std::same_as<backends::function_result_t<Fn, std::remove_cvref_t<Model>, Arg>, Result>
  ModelOpInvoker(invoker<Model, Fn, NeedsCodecs> any)
      : inside_(std::make_unique<holder<invoker<Model, Fn, NeedsCodecs>>>(std::move(any))) {}

  /// As invoker::map, for any input range whose elements convert to Arg.
  template <std::ranges::viewable_range Range>
  requires std::convertible_to<std::ranges::range_reference_t<Range>, Arg> result_range<Result> map(Range&& arguments) {
    return checked().map(front::any_source<Arg>(std::views::all(std::forward<Range>(arguments))));
  }
  /// As invoker::map_outcomes.
  template <std::ranges::viewable_range Range>
  requires std::convertible_to<std::ranges::range_reference_t<Range>, Arg> outcome_range<Result>
  map_outcomes(Range&& arguments) {
    return checked().map_outcomes(front::any_source<Arg>(std::views::all(std::forward<Range>(arguments))));
  }

  /// As invoker::shutdown.
  void shutdown() {
    if (inside_) inside_->shutdown();
  }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual result_range<Result> map(front::any_source<Arg> arguments) = 0;
    virtual outcome_range<Result> map_outcomes(front::any_source<Arg> arguments) = 0;
    virtual void shutdown() = 0;
  };

  template <class Invoker> struct holder final : interface {
    explicit holder(Invoker&& any) : inside(std::move(any)) {}
    result_range<Result> map(front::any_source<Arg> arguments) override { return inside.map(std::move(arguments)); }
    outcome_range<Result> map_outcomes(front::any_source<Arg> arguments) override {
      return inside.map_outcomes(std::move(arguments));
    }
    void shutdown() override { inside.shutdown(); }
    Invoker inside;
  };

  interface& checked() const {
    if (!inside_) throw usage_error("this invoker was moved from; use the one it was moved to");
    return *inside_;
  }

  std::unique_ptr<interface> inside_;
};

} // namespace lk::parallel
