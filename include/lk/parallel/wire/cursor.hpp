// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <lk/parallel/base/error.hpp>

// The two ends of a message: a writer that appends bytes and a reader that takes them off again, in the byte order of
// the machine, with every length a 64-bit number. Codecs stand on these two and nothing else. The reader may look at
// memory that another process is still scribbling on, so it trusts nothing and reads nothing twice. Neither knows what
// the bytes mean or where they travel.

namespace lk::parallel::wire {

/// How deep containers may be nested in each other at run time (vector<node> in a node, and so on). A message that goes
/// deeper is refused, so that no bytes can overflow the stack of the process that decodes them.
inline constexpr unsigned max_depth = 128;

[[noreturn, gnu::cold, gnu::noinline]] inline void throw_too_short(std::size_t wanted, std::size_t left) {
  throw wire_error("a message ended early: " + std::to_string(wanted) + " more bytes were needed and " +
                   std::to_string(left) +
                   " were left; encode and decode of the type disagree, or the bytes are damaged");
}
[[noreturn, gnu::cold, gnu::noinline]] inline void throw_bad_length(std::uint64_t count, std::size_t left) {
  throw wire_error("a message announces " + std::to_string(count) + " elements, more than its last " +
                   std::to_string(left) + " bytes can hold; the bytes are damaged");
}
[[noreturn, gnu::cold, gnu::noinline]] inline void throw_bad_value(const char* what) {
  throw wire_error(std::string("a message holds ") + what + "; the bytes are damaged");
}
[[noreturn, gnu::cold, gnu::noinline]] inline void throw_too_deep() {
  throw wire_error("a value nests its containers more than " + std::to_string(max_depth) +
                   " levels deep; flatten it (a vector of nodes with indices), or specialise lk::parallel::codec");
}

/// Appends bytes: into the place it was given while they fit, on the heap from then on.
/// Threads: one at a time. Throws: std::bad_alloc. Lifetime: the place must outlive the writer.
class writer {
 public:
  writer() noexcept = default; ///< writes to the heap
  /// Writes into this place, while it has room.
  explicit writer(std::span<std::byte> place) noexcept
      : place_(place)
      , begin_(place.data())
      , at_(begin_)
      , end_(begin_ + place.size()) {}
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;
  writer(writer&& other) noexcept { swap(other); }
  writer& operator=(writer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~writer() = default;

  /// Appends n bytes.
  void write(const void* data, std::size_t n) {
    if (n != 0) std::memcpy(claim(n).data(), data, n);
  }

  /// Appends the bytes of an object.
  template <class T> void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(claim(sizeof(T)).data(), std::addressof(value), sizeof(T));
  }

  /// Appends a count, for reader::get_length.
  void put_length(std::size_t n) { put(static_cast<std::uint64_t>(n)); }

  /// n contiguous bytes, which the caller fills before it calls the writer again.
  std::span<std::byte> claim(std::size_t n) {
    if (static_cast<std::size_t>(end_ - at_) < n) [[unlikely]]
      grow(n);
    return {std::exchange(at_, at_ + n), n};
  }

  /// What was written. Lifetime: until the next write.
  std::span<const std::byte> bytes() const noexcept { return {begin_, at_}; }
  /// Units: bytes written.
  std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - begin_); }
  /// Whether everything written still lies in the place given.
  bool in_place() const noexcept { return begin_ == place_.data(); }

  /// Forgets what was written and starts again in the place given; memory from the heap is kept for the next overflow.
  void clear() noexcept {
    depth_ = 0;
    if (place_.empty() && heap_) return begin_at(heap_.get(), heap_size_);
    begin_at(place_.data(), place_.size());
  }

 private:
  friend class nested;
  struct free_memory {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };

  void begin_at(std::byte* memory, std::size_t size) noexcept {
    begin_ = at_ = memory;
    end_ = begin_ + size;
  }

  // realloc, since it moves the pages of a large message instead of copying them.
  [[gnu::cold, gnu::noinline]] void grow(std::size_t n) {
    const std::size_t used = size();
    if (n > std::numeric_limits<std::size_t>::max() / 4 - used) throw std::bad_alloc();
    const bool was_on_heap = heap_ && begin_ == heap_.get();
    if (heap_size_ < used + n) {
      const std::size_t wanted = std::max<std::size_t>({used + n, 2 * used, 256});
      auto* memory = static_cast<std::byte*>(std::realloc(heap_.get(), wanted));
      if (memory == nullptr) throw std::bad_alloc();
      static_cast<void>(heap_.release());
      heap_.reset(memory);
      heap_size_ = wanted;
    }
    if (!was_on_heap && used != 0) std::memcpy(heap_.get(), begin_, used);
    begin_at(heap_.get(), heap_size_);
    at_ += used;
  }

  void swap(writer& other) noexcept {
    std::swap(place_, other.place_);
    std::swap(begin_, other.begin_);
    std::swap(at_, other.at_);
    std::swap(end_, other.end_);
    std::swap(heap_, other.heap_);
    std::swap(heap_size_, other.heap_size_);
    std::swap(depth_, other.depth_);
  }

  std::span<std::byte> place_;
  std::byte* begin_ = nullptr;
  std::byte* at_ = nullptr;
  std::byte* end_ = nullptr;
  std::unique_ptr<std::byte, free_memory> heap_;
  std::size_t heap_size_ = 0;
  unsigned depth_ = 0;
};

/// Takes bytes off a message, front to back. Threads: one at a time; other processes may write the memory meanwhile:
/// each scalar is read once, into a local, and what is checked is the local. Throws: wire_error where the bytes cannot
/// be what was asked for. Lifetime: the bytes must outlive the reader.
class reader {
 public:
  /// Reads this message.
  explicit reader(std::span<const std::byte> bytes) noexcept : at_(bytes.data()), end_(at_ + bytes.size()) {}

  /// Units: bytes not taken yet.
  std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - at_); }

  /// The next n bytes where they lie. Who reads them twice may see two values.
  std::span<const std::byte> take(std::size_t n) {
    if (remaining() < n) [[unlikely]]
      throw_too_short(n, remaining());
    return {std::exchange(at_, at_ + n), n};
  }

  /// The next n objects where they lie, to be copied once; null, and nothing taken, where that is no place for them.
  template <class T> const T* take_objects(std::size_t n) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (n == 0 || reinterpret_cast<std::uintptr_t>(at_) % alignof(T) != 0) return nullptr;
    return reinterpret_cast<const T*>(take(n * sizeof(T)).data());
  }

  /// Copies the next n bytes.
  void read(void* out, std::size_t n) {
    const auto source = take(n);
    if (n != 0) std::memcpy(out, source.data(), n);
    asm volatile("" : : "r"(out) : "memory"); // the compiler may not go back to the source for what it has read
  }

  /// The next object. Any bits are taken for its value: bool and what holds one go through a codec, which checks.
  template <class T> T get() {
    static_assert(std::is_trivially_copyable_v<T>);
    if constexpr (sizeof(T) == 1) {
      return std::bit_cast<T>(get_word<std::uint8_t>());
    } else if constexpr (sizeof(T) == 2) {
      return std::bit_cast<T>(get_word<std::uint16_t>());
    } else if constexpr (sizeof(T) == 4) {
      return std::bit_cast<T>(get_word<std::uint32_t>());
    } else if constexpr (sizeof(T) == 8) {
      return std::bit_cast<T>(get_word<std::uint64_t>());
    } else {
      struct raw {
        alignas(T) std::byte bytes[sizeof(T)];
      } copy;
      read(&copy, sizeof copy);
      return std::bit_cast<T>(copy);
    }
  }

  /// A count of elements that take at least min_bytes_each each. With 0, where that is not known, the count may exceed
  /// the bytes left by a million, and the caller must not allocate ahead of the elements it has decoded.
  std::size_t get_length(std::size_t min_bytes_each) {
    const auto count = get_word<std::uint64_t>();
    constexpr std::size_t free_elements = std::size_t{1} << 20;
    const std::size_t most = min_bytes_each == 0 ? remaining() + free_elements : remaining() / min_bytes_each;
    if (count > most) [[unlikely]]
      throw_bad_length(count, remaining());
    return static_cast<std::size_t>(count);
  }

  /// The message should be over here. Throws: wire_error where bytes are left.
  void expect_end() const {
    if (at_ != end_) [[unlikely]]
      throw_bad_value("more bytes than its type takes");
  }

 private:
  friend class nested;

  template <class Word> Word get_word() {
    Word word;
    std::memcpy(&word, take(sizeof word).data(), sizeof word);
    asm volatile("" : "+r"(word)); // read once: from here on the value is in the register, not in the source
    return word;
  }

  const std::byte* at_;
  const std::byte* end_;
  [[maybe_unused]] unsigned depth_ = 0; // of `nested`; clang warns where only flat types are read
};

/// One level of nesting, held while the elements of a container are encoded or decoded. Throws: wire_error.
class nested {
 public:
  template <class Cursor> explicit nested(Cursor& cursor) : depth_(cursor.depth_) {
    if (depth_ >= max_depth) [[unlikely]]
      throw_too_deep();
    ++depth_;
  }
  nested(const nested&) = delete;
  nested& operator=(const nested&) = delete;
  ~nested() { --depth_; }

 private:
  unsigned& depth_;
};

} // namespace lk::parallel::wire
